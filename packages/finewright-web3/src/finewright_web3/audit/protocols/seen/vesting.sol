// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Vesting {
    struct Grant {
        uint128 amount;
        uint128 released;
        uint64 start;
        uint64 duration;
        bool revoked;
    }

    IERC20 public token;
    address public treasurer;
    mapping(address => Grant) public grants;

    modifier onlyTreasurer() {
        require(msg.sender == treasurer, "not the treasurer");
        _;
    }

    function init(IERC20 token_, address treasurer_) external {
        //[
        require(treasurer == address(0), "initialized");
        //| initialiser Usurp
        //]
        token = token_;
        treasurer = treasurer_;
    }

    function grant(address to, uint256 amount, uint64 start, uint64 duration) external onlyTreasurer {
        //[
        require(amount <= type(uint128).max && duration > 0, "bad grant");
        //| cast Shorten
        //: require(duration > 0, "bad grant");
        //]
        //[
        require(grants[to].amount == 0, "granted before");
        //| guard Regrant
        //]
        grants[to] = Grant(uint128(amount), 0, start, duration, false);
        //[
        require(token.transferFrom(msg.sender, address(this), amount), "not funded");
        //| unchecked-call Unfunded
        //: token.transferFrom(msg.sender, address(this), amount);
        //]
    }

    function vested(address to) public view returns (uint256) {
        Grant memory g = grants[to];
        if (block.timestamp < g.start) return 0;
        uint256 elapsed = block.timestamp - g.start;
        //[
        if (elapsed >= g.duration) return g.amount;
        //| guard Overrun
        //]
        //[
        return uint256(g.amount) * elapsed / g.duration;
        //| rounding Freeze
        //: return elapsed / g.duration * g.amount;
        //]
    }

    function release() external {
        Grant storage g = grants[msg.sender];
        //[
        require(!g.revoked, "revoked");
        //| guard Revived
        //]
        uint256 amount = vested(msg.sender) - g.released;
        g.released += uint128(amount);
        require(token.transfer(msg.sender, amount), "transfer failed");
    }

    //[
    function revoke(address to) external onlyTreasurer {
    //| access Revoke
    //: function revoke(address to) external {
    //]
        Grant storage g = grants[to];
        g.revoked = true;
        require(token.transfer(treasurer, g.amount - g.released), "transfer failed");
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Actor ann = new Actor();
    Vesting target = new Vesting();

    constructor() {
        target.init(IERC20(address(coin)), address(this));
        coin.mint(address(this), 1e30);
    }

    function ago(uint64 time) internal view returns (uint64) {
        return uint64(block.timestamp) - time;
    }

    function annTakes() internal returns (bool) {
        return ann.act(address(target), abi.encodeCall(Vesting.release, ()));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(50), 100);
        bool ok = annTakes() && coin.balanceOf(address(ann)) == 500;
        target.revoke(address(ann));
        target.grant(address(this), 1000, ago(100), 100);
        uint256 had = coin.balanceOf(address(this));
        target.release();
        return ok && coin.balanceOf(address(this)) == had + 1000 && coin.balanceOf(address(target)) == 0;
    }
}

contract Usurp is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(50), 100);
        ann.act(address(target), abi.encodeCall(Vesting.init, (IERC20(address(coin)), address(ann))));
        return target.treasurer() == address(ann);
    }
}

contract Shorten is Scene {
    function run() external payable returns (bool) {
        coin.mint(address(this), 1 << 128);
        target.grant(address(ann), 1 << 128, ago(100), 100);
        annTakes();
        return coin.balanceOf(address(target)) == 1 << 128;
    }
}

contract Regrant is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(100), 100);
        annTakes();
        coin.mint(address(target), 1000);
        target.grant(address(ann), 1000, ago(100), 100);
        return annTakes() && coin.balanceOf(address(ann)) == 2000;
    }
}

contract Unfunded is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1e30, ago(0), 100);
        target.grant(address(this), 1e30, ago(100), 100);
        target.release();
        return coin.balanceOf(address(this)) == 1e30;
    }
}

contract Overrun is Scene {
    function run() external payable returns (bool) {
        coin.mint(address(target), 5000);
        target.grant(address(ann), 1000, ago(300), 100);
        annTakes();
        return coin.balanceOf(address(ann)) == 3000;
    }
}

contract Freeze is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(99), 100);
        annTakes();
        return coin.balanceOf(address(ann)) == 0;
    }
}

contract Revived is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(50), 100);
        target.revoke(address(ann));
        coin.mint(address(target), 1000);
        return annTakes() && coin.balanceOf(address(ann)) == 500;
    }
}

contract Revoke is Scene {
    function run() external payable returns (bool) {
        target.grant(address(ann), 1000, ago(50), 100);
        ann.act(address(target), abi.encodeCall(Vesting.revoke, (address(ann))));
        return coin.balanceOf(address(target)) == 0;
    }
}
