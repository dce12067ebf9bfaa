// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Auction {
    address public seller;
    address public leader;
    uint256 public highest;
    bool public ended;
    mapping(address => uint256) public refunds;
    mapping(bytes32 => uint256) public sealedBids;

    event Ended(address winner, uint256 amount);

    constructor(address seller_) {
        seller = seller_;
    }

    function bid() external payable {
        require(!ended, "ended");
        //[
        require(msg.value > highest, "bid too low");
        //| guard Underbid
        //]
        refunds[leader] += highest;
        leader = msg.sender;
        highest = msg.value;
    }

    function claimRefund() external {
        uint256 amount = refunds[msg.sender];
        require(amount != 0, "nothing to refund");
        //[
        delete refunds[msg.sender];
        (bool sent, ) = payable(msg.sender).call{value: amount}("");
        require(sent, "refund failed");
        //| reentrancy Drain
        //: (bool sent, ) = payable(msg.sender).call{value: amount}("");
        //: require(sent, "refund failed");
        //: delete refunds[msg.sender];
        //| unchecked-call Swallow
        //: delete refunds[msg.sender];
        //: payable(msg.sender).send(amount);
        //]
    }

    function commitment(address bidder, uint256 value, bytes32 salt) public pure returns (bytes32) {
        //[
        return keccak256(abi.encode(bidder, value, salt));
        //| front-running Copy
        //: return keccak256(abi.encode(value, salt));
        //]
    }

    function commitBid(bytes32 hash) external payable {
        require(!ended && sealedBids[hash] == 0, "not possible");
        sealedBids[hash] = msg.value;
    }

    function revealBid(uint256 value, bytes32 salt) external {
        bytes32 hash = commitment(msg.sender, value, salt);
        require(sealedBids[hash] == value && value > highest, "no such bid");
        sealedBids[hash] = 0;
        refunds[leader] += highest;
        leader = msg.sender;
        highest = value;
    }

    function end() external {
        //[
        require(msg.sender == seller, "only the seller");
        //| access Finish
        //]
        //[
        require(!ended, "already ended");
        //| guard EndTwice
        //]
        ended = true;
        emit Ended(leader, highest);
        payable(seller).transfer(highest);
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    Auction target = new Auction(address(this));

    receive() external payable virtual {}
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.bid{value: 1 ether}();
        bool ok = ann.act{value: 2 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        target.claimRefund();
        bytes32 hash = target.commitment(address(this), 3 ether, "x");
        target.commitBid{value: 3 ether}(hash);
        target.revealBid(3 ether, "x");
        ok = ok && ann.act(address(target), abi.encodeCall(Auction.claimRefund, ()));
        target.end();
        return ok && address(target).balance == 0 && target.leader() == address(this);
    }
}

contract Underbid is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 2 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        target.bid{value: 1}();
        return target.leader() == address(this);
    }
}

contract Drain is Scene {
    uint256 left = 2;
    bool on;

    receive() external payable override {
        if (on && left > 0) {
            left--;
            target.claimRefund();
        }
    }

    function run() external payable returns (bool) {
        target.bid{value: 2 ether}();
        ann.act{value: 9 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        uint256 had = address(this).balance;
        on = true;
        target.claimRefund();
        return address(this).balance > had + 2 ether;
    }
}

contract Swallow is Scene {
    function run() external payable returns (bool) {
        Mute mute = new Mute();
        mute.act{value: 1 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        ann.act{value: 2 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        mute.act(address(target), abi.encodeCall(Auction.claimRefund, ()));
        return target.refunds(address(mute)) == 0;
    }
}

contract Copy is Scene {
    function run() external payable returns (bool) {
        bytes32 hash = target.commitment(address(ann), 2 ether, "s");
        ann.act{value: 2 ether}(address(target), abi.encodeCall(Auction.commitBid, (hash)));
        target.revealBid(2 ether, "s");
        return target.leader() == address(this);
    }
}

contract Finish is Scene {
    function run() external payable returns (bool) {
        target.bid{value: 1}();
        ann.act(address(target), abi.encodeCall(Auction.end, ()));
        return target.ended();
    }
}

contract EndTwice is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 5 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        target.bid{value: 6 ether}();
        ann.act{value: 7 ether}(address(target), abi.encodeCall(Auction.bid, ()));
        uint256 had = address(this).balance;
        target.end();
        target.end();
        return address(this).balance == had + 14 ether;
    }
}
