// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Bridge {
    IERC20 public immutable wrapped;
    address public validator;
    uint32 public immutable chain;
    uint256 public dailyLimit = 1000 ether;
    mapping(uint256 => bool) public handledTransfers;
    mapping(address => uint256) public sequence;
    mapping(address => uint96) public outbound;

    event Sent(address from, uint32 toChain, uint256 amount);

    constructor(IERC20 wrapped_, address validator_, uint32 chain_) {
        wrapped = wrapped_;
        validator = validator_;
        chain = chain_;
    }

    function sendOut(uint32 toChain, uint256 amount) external {
        //[
        require(amount < 2 ** 96, "does not fit");
        //| cast Minted
        //]
        //[
        require(toChain != chain, "same chain");
        //| guard Circle
        //]
        outbound[msg.sender] += uint96(amount);
        emit Sent(msg.sender, toChain, amount);
        //[
        require(wrapped.transferFrom(msg.sender, address(this), uint96(amount)), "no deposit");
        //| unchecked-call Phantom
        //: wrapped.transferFrom(msg.sender, address(this), uint96(amount));
        //]
    }

    function bringIn(uint256 transferId, address to, uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        //[
        require(amount <= dailyLimit, "over the limit");
        //| guard Flood
        //]
        bytes32 message = keccak256(abi.encode(transferId, to, amount, chain));
        require(ecrecover(message, v, r, s) == validator, "not attested");
        //[
        require(!handledTransfers[transferId], "handled");
        handledTransfers[transferId] = true;
        //| replay Double
        //]
        require(wrapped.transfer(to, amount), "release failed");
    }

    function bringInNext(address to, uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        //[
        bytes32 message = keccak256(abi.encode(to, amount, sequence[to]));
        sequence[to] += 1;
        //| replay Echo
        //: bytes32 message = keccak256(abi.encode(to, amount, sequence[to]));
        //]
        require(ecrecover(message, v, r, s) == validator && amount <= dailyLimit, "not attested");
        require(wrapped.transfer(to, amount), "release failed");
    }

    function setValidator(address next) external {
        //[
        require(msg.sender == validator, "validator only");
        //| access Impostor
        //| tx.origin OriginValidator
        //: require(tx.origin == validator, "validator only");
        //]
        require(next != address(0), "no address");
        validator = next;
    }

    function setLimit(uint256 limit) external {
        //[
        require(msg.sender == validator, "validator only");
        //| access Unlimited
        //]
        dailyLimit = limit;
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Actor ann = new Actor();
    Bridge target = new Bridge(IERC20(address(coin)), address(ann), 1);

    constructor() {
        coin.mint(address(this), 100);
    }

    function signed(bytes memory message) internal returns (Bridge bridge) {
        bridge = new Bridge(IERC20(address(coin)), Sig.signerOf(keccak256(message)), 1);
        coin.mint(address(bridge), 1e24);
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.sendOut(2, 40);
        Bridge bridge = signed(abi.encode(uint256(7), address(this), 30, uint32(1)));
        bridge.bringIn(7, address(this), 30, 27, Sig.R, Sig.S);
        bridge = signed(abi.encode(address(this), 20, uint256(0)));
        bridge.bringInNext(address(this), 20, 27, Sig.R, Sig.S);
        bool ok = coin.balanceOf(address(this)) == 110 && target.outbound(address(this)) == 40;
        ok = ok && ann.act(address(target), abi.encodeCall(Bridge.setLimit, (5)));
        ok = ok && ann.act(address(target), abi.encodeCall(Bridge.setValidator, (address(0xb09))));
        return ok && target.dailyLimit() == 5 && target.validator() == address(0xb09);
    }
}

contract Minted is Scene {
    function run() external payable returns (bool) {
        target.sendOut(2, 1 << 96);
        return coin.balanceOf(address(this)) == 100;
    }
}

contract Circle is Scene {
    function run() external payable returns (bool) {
        target.sendOut(1, 1);
        return true;
    }
}

contract Phantom is Scene {
    function run() external payable returns (bool) {
        target.sendOut(2, 500);
        return target.outbound(address(this)) == 500;
    }
}

contract Flood is Scene {
    function run() external payable returns (bool) {
        Bridge bridge = signed(abi.encode(uint256(7), address(this), 2000 ether, uint32(1)));
        bridge.bringIn(7, address(this), 2000 ether, 27, Sig.R, Sig.S);
        return coin.balanceOf(address(this)) > 1000 ether;
    }
}

contract Double is Scene {
    function run() external payable returns (bool) {
        Bridge bridge = signed(abi.encode(uint256(7), address(this), 30, uint32(1)));
        bridge.bringIn(7, address(this), 30, 27, Sig.R, Sig.S);
        bridge.bringIn(7, address(this), 30, 27, Sig.R, Sig.S);
        return coin.balanceOf(address(this)) == 160;
    }
}

contract Echo is Scene {
    function run() external payable returns (bool) {
        Bridge bridge = signed(abi.encode(address(this), 20, uint256(0)));
        bridge.bringInNext(address(this), 20, 27, Sig.R, Sig.S);
        bridge.bringInNext(address(this), 20, 27, Sig.R, Sig.S);
        return coin.balanceOf(address(this)) == 140;
    }
}

contract Impostor is Scene {
    function run() external payable returns (bool) {
        target.setValidator(address(this));
        return target.validator() == address(this);
    }
}

contract OriginValidator is Scene {
    function run() external payable returns (bool) {
        Bridge bridge = new Bridge(IERC20(address(coin)), tx.origin, 1);
        bridge.setValidator(address(this));
        return bridge.validator() == address(this);
    }
}

contract Unlimited is Scene {
    function run() external payable returns (bool) {
        target.setLimit(type(uint256).max);
        return target.dailyLimit() > 1000 ether;
    }
}
