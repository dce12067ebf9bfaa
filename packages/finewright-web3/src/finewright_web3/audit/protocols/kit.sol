// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

interface IERC20 {
    function transfer(address to, uint256 amount) external returns (bool);
    function transferFrom(address from, address to, uint256 amount) external returns (bool);
    function balanceOf(address account) external view returns (uint256);
}

/// Another account, which does what it is told and takes ether.
contract Actor {
    receive() external payable {}

    function act(address to, bytes calldata data) external payable returns (bool ok) {
        (ok, ) = to.call{value: msg.value}(data);
    }
}

/// An account that takes no ether.
contract Mute {
    function act(address to, bytes calldata data) external payable returns (bool ok) {
        (ok, ) = to.call{value: msg.value}(data);
    }
}

/// A token of the older kind: a payment that fails is told by `false`, not by a revert.
contract Coin {
    mapping(address => uint256) public balanceOf;

    function mint(address to, uint256 amount) external {
        balanceOf[to] += amount;
    }

    function transfer(address to, uint256 amount) external returns (bool) {
        return move(msg.sender, to, amount);
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        return move(from, to, amount);
    }

    function move(address from, address to, uint256 amount) internal returns (bool) {
        if (balanceOf[from] < amount) return false;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }
}

/// Prices: a feed that is told its answer, and a pool whose price anyone moves by trading with it.
contract Feed {
    uint256 told;
    uint256 toldAt;

    function set(uint256 told_, uint256 toldAt_) external {
        told = told_;
        toldAt = toldAt_;
    }

    function latest() external view returns (uint256, uint256) {
        return (told, toldAt);
    }
}

contract Pair {
    uint256 public reserve0;
    uint256 public reserve1;

    constructor(uint256 a, uint256 b) {
        reserve0 = a;
        reserve1 = b;
    }

    function spot() external view returns (uint256) {
        return reserve1 * 1e18 / reserve0;
    }

    function trade(uint256 a, uint256 b) external {
        reserve0 = a;
        reserve1 = b;
    }
}

/// Any digest has a signer for whom `r` (the generator's x) and `s` = 1 are right, so that scenes need no key.
library Sig {
    bytes32 constant R = 0x79BE667EF9DCBBAC55A06295CE870B07029BFCDB2DCE28D959F2815B16F81798;
    bytes32 constant S = bytes32(uint256(1));

    function signerOf(bytes32 digest) internal pure returns (address) {
        return ecrecover(digest, 27, R, S);
    }
}
