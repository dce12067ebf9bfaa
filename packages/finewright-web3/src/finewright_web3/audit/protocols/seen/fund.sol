// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract IndexFund {
    IERC20 public immutable underlying;
    Feed public nav;
    Pair public market;
    address public immutable manager;
    uint256 public supply;
    bool public closed;
    mapping(address => uint256) public units;
    mapping(bytes32 => bool) public spentVouchers;

    constructor(IERC20 underlying_, Feed nav_, Pair market_, address manager_) {
        underlying = underlying_;
        nav = nav_;
        market = market_;
        manager = manager_;
    }

    function unitPrice() public view returns (uint256 value) {
        //[
        uint256 time;
        (value, time) = nav.latest();
        require(value != 0 && time + 6 hours > block.timestamp, "stale");
        //| oracle SpotNav
        //: value = market.spot();
        //| oracle OldNav
        //: (value, ) = nav.latest();
        //]
    }

    function redeemValue(uint256 amount) public view returns (uint256) {
        //[
        (uint256 value, ) = nav.latest();
        return amount * value / 1e18;
        //| oracle SpotRedeem
        //: return amount * market.spot() / 1e18;
        //]
    }

    function subscribe(uint256 amount) external {
        require(!closed, "closed");
        //[
        uint256 paid = (amount * unitPrice() + 1e18 - 1) / 1e18;
        //| rounding Cheap
        //: uint256 paid = amount * unitPrice() / 1e18;
        //]
        units[msg.sender] += amount;
        supply += amount;
        require(underlying.transferFrom(msg.sender, address(this), paid), "unpaid");
    }

    function redeem(uint256 amount, uint256 minPaid) external {
        //[
        require(!closed, "closed");
        //| guard AfterClose
        //]
        units[msg.sender] -= amount;
        supply -= amount;
        uint256 paid = redeemValue(amount);
        //[
        require(paid >= minPaid, "less than asked");
        //| front-running Undercut
        //]
        require(underlying.transfer(msg.sender, paid), "unpaid");
    }

    function useVoucher(uint256 amount, bytes32 id, uint8 v, bytes32 r, bytes32 s) external {
        //[
        require(!spentVouchers[id], "voucher spent");
        spentVouchers[id] = true;
        //| replay Respend
        //]
        bytes32 hash = keccak256(abi.encode(msg.sender, amount, id));
        require(ecrecover(hash, v, r, s) == manager, "not by the manager");
        units[msg.sender] += amount;
        supply += amount;
    }

    function close() external {
        //[
        require(msg.sender == manager, "not the manager");
        //| access Shut
        //| tx.origin ShutByOrigin
        //: require(tx.origin == manager, "not the manager");
        //]
        closed = true;
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Feed feed = new Feed();
    Pair pair = new Pair(1e6, 2e6);
    Actor ann = new Actor();
    IndexFund target = new IndexFund(IERC20(address(coin)), feed, pair, address(ann));

    constructor() {
        coin.mint(address(this), 100 ether);
        coin.mint(address(target), 100 ether);
        feed.set(2e18, block.timestamp);
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.subscribe(10 ether);
        target.redeem(4 ether, 8 ether);
        bool ok = coin.balanceOf(address(this)) == 88 ether && voucher();
        return ok && ann.act(address(target), abi.encodeCall(IndexFund.close, ())) && target.closed();
    }

    function voucher() internal returns (bool) {
        address manager = Sig.signerOf(keccak256(abi.encode(address(this), 5, bytes32("v"))));
        IndexFund fund = new IndexFund(IERC20(address(coin)), feed, pair, manager);
        fund.useVoucher(5, "v", 27, Sig.R, Sig.S);
        return fund.units(address(this)) == 5;
    }
}

contract SpotNav is Scene {
    function run() external payable returns (bool) {
        pair.trade(1e6, 1);
        target.subscribe(10 ether);
        return coin.balanceOf(address(this)) > 99 ether;
    }
}

contract OldNav is Scene {
    function run() external payable returns (bool) {
        feed.set(1e17, block.timestamp > 1 days ? block.timestamp - 1 days : 0);
        target.subscribe(10 ether);
        return block.timestamp > 6 hours;
    }
}

contract SpotRedeem is Scene {
    function run() external payable returns (bool) {
        target.subscribe(10 ether);
        pair.trade(1e6, 9e6);
        target.redeem(10 ether, 0);
        return coin.balanceOf(address(this)) == 170 ether;
    }
}

contract Cheap is Scene {
    function run() external payable returns (bool) {
        feed.set(1e17, block.timestamp);
        for (uint256 i; i < 5; i++) target.subscribe(9);
        return coin.balanceOf(address(this)) == 100 ether && target.units(address(this)) == 45;
    }
}

contract AfterClose is Scene {
    function run() external payable returns (bool) {
        target.subscribe(10 ether);
        ann.act(address(target), abi.encodeCall(IndexFund.close, ()));
        target.redeem(10 ether, 0);
        return true;
    }
}

contract Undercut is Scene {
    function run() external payable returns (bool) {
        target.subscribe(10 ether);
        feed.set(1e17, block.timestamp);
        target.redeem(10 ether, 20 ether);
        return target.units(address(this)) == 0;
    }
}

contract Respend is Scene {
    function run() external payable returns (bool) {
        address manager = Sig.signerOf(keccak256(abi.encode(address(this), 5, bytes32("v"))));
        IndexFund fund = new IndexFund(IERC20(address(coin)), feed, pair, manager);
        fund.useVoucher(5, "v", 27, Sig.R, Sig.S);
        fund.useVoucher(5, "v", 27, Sig.R, Sig.S);
        return fund.units(address(this)) == 10;
    }
}

contract Shut is Scene {
    function run() external payable returns (bool) {
        target.close();
        return target.closed();
    }
}

contract ShutByOrigin is Scene {
    function run() external payable returns (bool) {
        IndexFund fund = new IndexFund(IERC20(address(coin)), feed, pair, tx.origin);
        fund.close();
        return fund.closed();
    }
}
