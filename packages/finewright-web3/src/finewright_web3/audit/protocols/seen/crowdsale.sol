// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Crowdsale {
    address payable public beneficiary;
    address public signer;
    Feed public feed;
    uint256 public sold;
    uint256 public cap = 1000 ether;
    mapping(address => uint256) public tokens;
    mapping(bytes32 => bool) public claimed;

    constructor(address payable beneficiary_, address signer_, Feed feed_) {
        beneficiary = beneficiary_;
        signer = signer_;
        feed = feed_;
    }

    function rate() public view returns (uint256) {
        (uint256 answer, uint256 updatedAt) = feed.latest();
        //[
        require(updatedAt + 1 hours >= block.timestamp, "old price");
        //| oracle Stale
        //]
        //[
        require(answer > 0, "no price");
        //| oracle Zero
        //]
        return answer;
    }

    function buy(uint256 minTokens) external payable {
        uint256 amount = msg.value * 1e18 / (rate() + 1);
        //[
        require(amount >= minTokens, "price moved");
        //| front-running Reprice
        //]
        //[
        require(sold + amount <= cap, "sold out");
        //| guard Beyond
        //]
        sold += amount;
        tokens[msg.sender] += amount;
    }

    function buyExact(uint256 amount) external payable {
        require(sold + amount <= cap, "sold out");
        //[
        uint256 cost = (amount * rate() + 1e18 - 1) / 1e18;
        //| rounding Dust
        //: uint256 cost = amount * rate() / 1e18;
        //]
        require(msg.value == cost, "wrong payment");
        sold += amount;
        tokens[msg.sender] += amount;
    }

    function claimBonus(uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        bytes32 digest = keccak256(abi.encode(address(this), block.chainid, msg.sender, amount));
        require(ecrecover(digest, v, r, s) == signer && signer != address(0), "bad signature");
        //[
        require(!claimed[digest], "already claimed");
        claimed[digest] = true;
        //| replay Reclaim
        //]
        tokens[msg.sender] += amount;
    }

    function collect() external {
        //[
        require(msg.sender == beneficiary, "only the beneficiary");
        beneficiary.transfer(address(this).balance);
        //| access Collect
        //: payable(msg.sender).transfer(address(this).balance);
        //| tx.origin Bait
        //: require(tx.origin == beneficiary, "only the beneficiary");
        //: payable(msg.sender).transfer(address(this).balance);
        //]
    }
}

//! scene
contract Scene {
    Feed feed = new Feed();
    Actor ann = new Actor();
    Crowdsale target;

    constructor() {
        feed.set(2e18, block.timestamp);
        target = new Crowdsale(payable(address(ann)), address(0xb01), feed);
    }

    receive() external payable {}
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.buy{value: 4 ether}(1 ether);
        target.buyExact{value: 6}(3);
        bool ok = ann.act(address(target), abi.encodeCall(Crowdsale.collect, ()));
        return ok && target.sold() > 1.9 ether && target.sold() < 2.1 ether && address(ann).balance == 4 ether + 6;
    }
}

contract Stale is Scene {
    function run() external payable returns (bool) {
        feed.set(1, block.timestamp > 2 hours ? block.timestamp - 2 hours : 0);
        target.buy{value: 100}(1);
        return block.timestamp > 1 hours && target.tokens(address(this)) > 0;
    }
}

contract Zero is Scene {
    function run() external payable returns (bool) {
        feed.set(0, block.timestamp);
        target.buy{value: 1}(1);
        return target.tokens(address(this)) == 1e18;
    }
}

contract Reprice is Scene {
    function run() external payable returns (bool) {
        feed.set(2000e18, block.timestamp);
        bool ok = ann.act{value: 2 ether}(address(target), abi.encodeCall(Crowdsale.buy, (0.9 ether)));
        return ok && target.tokens(address(ann)) < 0.9 ether;
    }
}

contract Beyond is Scene {
    function run() external payable returns (bool) {
        feed.set(1e15, block.timestamp);
        target.buy{value: 2 ether}(0);
        return target.sold() > target.cap();
    }
}

contract Dust is Scene {
    function run() external payable returns (bool) {
        feed.set(1e17, block.timestamp);
        for (uint256 i; i < 5; i++) target.buyExact(9);
        return target.tokens(address(this)) == 45;
    }
}

contract Reclaim is Scene {
    function run() external payable returns (bool) {
        address next = address(uint160(uint256(keccak256(abi.encodePacked(hex"d694", address(this), hex"04")))));
        bytes32 digest = keccak256(abi.encode(next, block.chainid, address(this), uint256(5)));
        Crowdsale sale = new Crowdsale(payable(address(ann)), Sig.signerOf(digest), feed);
        sale.claimBonus(5, 27, Sig.R, Sig.S);
        sale.claimBonus(5, 27, Sig.R, Sig.S);
        return address(sale) == next && sale.tokens(address(this)) == 10;
    }
}

contract Collect is Scene {
    function run() external payable returns (bool) {
        target.buy{value: 4 ether}(1 ether);
        uint256 had = address(this).balance;
        target.collect();
        return address(this).balance == had + 4 ether;
    }
}

contract Bait is Scene {
    function run() external payable returns (bool) {
        Crowdsale sale = new Crowdsale(payable(tx.origin), address(0xb01), feed);
        sale.buy{value: 4 ether}(1 ether);
        uint256 had = address(this).balance;
        sale.collect();
        return address(this).balance == had + 4 ether;
    }
}
