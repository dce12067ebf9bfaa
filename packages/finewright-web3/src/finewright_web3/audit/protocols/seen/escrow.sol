// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Escrow {
    enum State { None, Open, Released, Refunded }

    struct Deal {
        address buyer;
        address seller;
        address arbiter;
        uint96 amount;
        State state;
    }

    IERC20 public immutable token;
    uint256 public count;
    mapping(uint256 => Deal) public deals;

    constructor(IERC20 token_) {
        token = token_;
    }

    function open(address seller, address arbiter, uint256 amount) external returns (uint256 id) {
        //[
        require(amount <= type(uint96).max, "amount too large");
        //| cast Shrink
        //]
        //[
        require(token.transferFrom(msg.sender, address(this), amount), "not paid");
        //| unchecked-call Unpaid
        //: token.transferFrom(msg.sender, address(this), amount);
        //]
        id = ++count;
        deals[id] = Deal(msg.sender, seller, arbiter, uint96(amount), State.Open);
    }

    function release(uint256 id) external {
        Deal storage deal = deals[id];
        //[
        require(deal.state == State.Open, "not open");
        //| guard Twice
        //]
        //[
        require(msg.sender == deal.buyer || msg.sender == deal.arbiter, "not allowed");
        //| access Grab
        //| tx.origin Trick
        //: require(tx.origin == deal.buyer || tx.origin == deal.arbiter, "not allowed");
        //]
        deal.state = State.Released;
        require(token.transfer(deal.seller, deal.amount), "transfer failed");
    }

    function refund(uint256 id) external {
        Deal storage deal = deals[id];
        require(deal.state == State.Open, "not open");
        //[
        require(msg.sender == deal.seller, "only the seller");
        //| access Recall
        //]
        deal.state = State.Refunded;
        //[
        require(token.transfer(deal.buyer, deal.amount), "transfer failed");
        //| unchecked-call Vanish
        //: token.transfer(deal.buyer, deal.amount);
        //]
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Escrow target = new Escrow(IERC20(address(coin)));
    Actor ann = new Actor();

    constructor() {
        coin.mint(address(ann), 1000);
        coin.mint(address(this), 100);
    }

    function annOpens(uint256 amount) internal returns (bool) {
        return ann.act(address(target), abi.encodeCall(Escrow.open, (address(this), address(0xb01), amount)));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        bool ok = annOpens(200) && annOpens(300);
        ok = ok && ann.act(address(target), abi.encodeCall(Escrow.release, (1)));
        target.refund(2);
        return ok && coin.balanceOf(address(this)) == 300 && coin.balanceOf(address(ann)) == 800;
    }
}

contract Shrink is Scene {
    function run() external payable returns (bool) {
        coin.mint(address(ann), 1 << 96);
        bool ok = annOpens(1 << 96);
        (, , , uint96 amount, ) = target.deals(1);
        return ok && amount == 0;
    }
}

contract Unpaid is Scene {
    function run() external payable returns (bool) {
        annOpens(500);
        uint256 id = target.open(address(0xb02), address(this), 400);
        target.release(id);
        return coin.balanceOf(address(0xb02)) == 400;
    }
}

contract Twice is Scene {
    function run() external payable returns (bool) {
        annOpens(500);
        uint256 id = target.open(address(0xb02), address(this), 100);
        target.release(id);
        target.release(id);
        return coin.balanceOf(address(0xb02)) == 200;
    }
}

contract Grab is Scene {
    function run() external payable returns (bool) {
        annOpens(500);
        target.release(1);
        return coin.balanceOf(address(this)) == 600;
    }
}

contract Trick is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(Escrow.open, (address(this), tx.origin, 500)));
        target.release(1);
        return coin.balanceOf(address(this)) == 600;
    }
}

contract Recall is Scene {
    function run() external payable returns (bool) {
        uint256 id = target.open(address(ann), address(0xb01), 100);
        target.refund(id);
        return coin.balanceOf(address(this)) == 100;
    }
}

contract LateFail {
    bool paid;

    function balanceOf(address) external pure returns (uint256) {
        return 0;
    }

    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }
}

contract Vanish {
    function run() external payable returns (bool) {
        Escrow target = new Escrow(IERC20(address(new LateFail())));
        target.open(address(this), address(0xb01), 100);
        target.refund(1);
        (, , , , Escrow.State state) = target.deals(1);
        return state == Escrow.State.Refunded;
    }
}
