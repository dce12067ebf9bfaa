// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract StableIssuer {
    address public council;
    Feed public chainOracle;
    Pair public dex;
    uint256 public issued;
    mapping(address => uint256) public locked;
    mapping(address => uint256) public notes;
    mapping(address => uint128) public savings;

    constructor(address council_, Feed chainOracle_, Pair dex_) {
        council = council_;
        chainOracle = chainOracle_;
        dex = dex_;
    }

    function etherPrice() public view returns (uint256) {
        //[
        (uint256 quote, uint256 quotedAt) = chainOracle.latest();
        require(quote > 0, "oracle is silent");
        require(block.timestamp - quotedAt <= 3 hours, "oracle is late");
        return quote;
        //| oracle Pumped
        //: return dex.spot();
        //| oracle Yesterday
        //: (uint256 quote, ) = chainOracle.latest();
        //: require(quote > 0, "oracle is silent");
        //: return quote;
        //]
    }

    function issue(uint256 amount) external payable {
        locked[msg.sender] += msg.value;
        notes[msg.sender] += amount;
        issued += amount;
        //[
        require(notes[msg.sender] * 2e18 <= locked[msg.sender] * etherPrice(), "too little collateral");
        //| guard Unbacked
        //]
    }

    function redeem(uint256 amount, uint256 minEther) external {
        //[
        uint256 payout = amount * 1e18 / etherPrice();
        //| rounding RoundUp
        //: uint256 payout = amount * 1e18 / etherPrice() + 1;
        //]
        //[
        require(payout >= minEther, "worse than asked");
        //| front-running Worse
        //]
        notes[msg.sender] -= amount;
        issued -= amount;
        locked[msg.sender] -= payout;
        payable(msg.sender).transfer(payout);
    }

    function liquidate(address who) external {
        //[
        uint256 worth = locked[who] * etherPrice() / 1e18;
        //| oracle Crash
        //: uint256 worth = locked[who] * dex.spot() / 1e18;
        //]
        require(worth * 100 < notes[who] * 120, "position is sound");
        notes[msg.sender] -= notes[who];
        issued -= notes[who];
        uint256 seized = locked[who];
        //[
        notes[who] = 0;
        locked[who] = 0;
        (bool sent, ) = msg.sender.call{value: seized}("");
        require(sent, "seizure failed");
        //| reentrancy Seizing
        //: (bool sent, ) = msg.sender.call{value: seized}("");
        //: require(sent, "seizure failed");
        //: notes[who] = 0;
        //: locked[who] = 0;
        //]
    }

    function save(uint256 amount) external {
        notes[msg.sender] -= uint128(amount);
        //[
        savings[msg.sender] += toUint128(amount);
        //| cast Fold
        //: savings[msg.sender] += uint128(amount);
        //]
    }

    function toUint128(uint256 value) internal pure returns (uint128) {
        require(value >> 128 == 0, "does not fit");
        return uint128(value);
    }

    //[
    function changeOracle(Feed other) external {
        require(msg.sender == council, "council only");
    //| access FakeOracle
    //: function changeOracle(Feed other) external {
    //| tx.origin OriginOracle
    //: function changeOracle(Feed other) external {
    //:     require(tx.origin == council, "council only");
    //]
        chainOracle = other;
    }
}

//! scene
contract Scene {
    Feed feed = new Feed();
    Pair pair = new Pair(1e6, 2000e6);
    Actor ann = new Actor();
    StableIssuer target = new StableIssuer(address(ann), feed, pair);

    constructor() {
        feed.set(2000e18, block.timestamp);
    }

    receive() external payable virtual {}
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.issue{value: 2 ether}(2000 ether);
        target.redeem(1000 ether, 0.5 ether);
        target.save(400 ether);
        bool ok = ann.act{value: 1 ether}(address(target), abi.encodeCall(StableIssuer.issue, (500 ether)));
        feed.set(550e18, block.timestamp);
        target.liquidate(address(ann));
        ok = ok && ann.act(address(target), abi.encodeCall(StableIssuer.changeOracle, (Feed(address(0xb09)))));
        return ok && target.issued() == 1000 ether && target.savings(address(this)) == 400 ether && address(target).balance == 1.5 ether;
    }
}

contract Pumped is Scene {
    function run() external payable returns (bool) {
        pair.trade(1, 2000e6);
        target.issue{value: 1 ether}(100000 ether);
        return true;
    }
}

contract Yesterday is Scene {
    function run() external payable returns (bool) {
        feed.set(9000e18, block.timestamp > 1 days ? block.timestamp - 1 days : 0);
        target.issue{value: 1 ether}(4000 ether);
        return block.timestamp > 3 hours;
    }
}

contract Unbacked is Scene {
    function run() external payable returns (bool) {
        target.issue(1000 ether);
        return target.notes(address(this)) == 1000 ether;
    }
}

contract RoundUp is Scene {
    function run() external payable returns (bool) {
        target.issue{value: 1 ether}(0);
        target.redeem(0, 1);
        return true;
    }
}

contract Worse is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 2 ether}(address(target), abi.encodeCall(StableIssuer.issue, (1000 ether)));
        feed.set(8000e18, block.timestamp);
        ann.act(address(target), abi.encodeCall(StableIssuer.redeem, (1000 ether, 0.5 ether)));
        return target.notes(address(ann)) == 0;
    }
}

contract Crash is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 2 ether}(address(target), abi.encodeCall(StableIssuer.issue, (1000 ether)));
        target.issue{value: 10 ether}(1000 ether);
        pair.trade(1e6, 1e6);
        uint256 had = address(this).balance;
        target.liquidate(address(ann));
        return address(this).balance == had + 2 ether;
    }
}

contract Seizing is Scene {
    uint256 left = 1;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.liquidate(address(ann));
        }
    }

    function run() external payable returns (bool) {
        ann.act{value: 1 ether}(address(target), abi.encodeCall(StableIssuer.issue, (1000 ether)));
        target.issue{value: 10 ether}(5000 ether);
        feed.set(1100e18, block.timestamp);
        uint256 had = address(this).balance;
        target.liquidate(address(ann));
        return address(this).balance > had + 1 ether;
    }
}

contract Fold is Scene {
    function run() external payable returns (bool) {
        target.save(1 << 128);
        return target.savings(address(this)) == 0;
    }
}

contract FakeOracle is Scene {
    function run() external payable returns (bool) {
        target.changeOracle(new Feed());
        return target.chainOracle() != feed;
    }
}

contract OriginOracle is Scene {
    function run() external payable returns (bool) {
        StableIssuer issuer = new StableIssuer(tx.origin, feed, pair);
        issuer.changeOracle(new Feed());
        return issuer.chainOracle() != feed;
    }
}
