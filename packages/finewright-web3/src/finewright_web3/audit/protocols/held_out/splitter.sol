// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract RoyaltySplitter {
    address public curator;
    uint256 public totalWeight;
    uint256 public received;
    mapping(address => uint256) public weight;
    mapping(address => uint256) public taken;
    mapping(address => uint256) public takenTokens;

    function configure(address curator_, address[] calldata artists, uint256[] calldata weights) external {
        //[
        require(totalWeight == 0, "configured");
        //| initialiser Reconfigure
        //]
        //[
        require(artists.length == weights.length, "lengths differ");
        //| guard Mismatch
        //]
        curator = curator_;
        for (uint256 i = 0; i < artists.length; i++) {
            weight[artists[i]] += weights[i];
            totalWeight += weights[i];
        }
    }

    receive() external payable {
        received += msg.value;
    }

    function due(address artist) public view returns (uint256) {
        //[
        return received * weight[artist] / totalWeight - taken[artist];
        //| rounding Truncated
        //: return received / totalWeight * weight[artist] - taken[artist];
        //]
    }

    function takeRoyalty() external {
        uint256 owed = due(msg.sender);
        require(owed > 0, "nothing due");
        //[
        taken[msg.sender] += owed;
        (bool done, ) = msg.sender.call{value: owed}("");
        require(done, "payout failed");
        //| reentrancy Encore
        //: (bool done, ) = msg.sender.call{value: owed}("");
        //: require(done, "payout failed");
        //: taken[msg.sender] += owed;
        //| unchecked-call Unheard
        //: taken[msg.sender] += owed;
        //: msg.sender.call{value: owed}("");
        //]
    }

    function takeTokens(IERC20 token, uint256 amount) external {
        require(weight[msg.sender] == totalWeight, "only a sole artist");
        takenTokens[msg.sender] += amount;
        //[
        bool moved = token.transfer(msg.sender, amount);
        require(moved, "token payout failed");
        //| unchecked-call Silent
        //: token.transfer(msg.sender, amount);
        //]
    }

    function passOn(address heir) external {
        //[
        require(weight[heir] == 0 && heir != address(0), "not possible");
        //| guard Void
        //]
        weight[heir] = weight[msg.sender];
        taken[heir] = taken[msg.sender];
        weight[msg.sender] = 0;
    }

    function rescue(address payable to, uint256 amount) external {
        //[
        require(msg.sender == curator, "curator only");
        //| tx.origin Lured
        //: require(tx.origin == curator, "curator only");
        //| access Loot
        //]
        to.transfer(amount);
    }

    function migrate(address library_, bytes calldata call_) external {
        //[
        require(msg.sender == curator, "curator only");
        //| delegatecall Possess
        //]
        (bool done, ) = library_.delegatecall(call_);
        require(done, "migration failed");
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    RoyaltySplitter target = new RoyaltySplitter();

    constructor() {
        configure(target, address(ann), 1);
    }

    receive() external payable virtual {}

    function configure(RoyaltySplitter splitter, address curator, uint256 own) internal {
        address[] memory artists = new address[](2);
        uint256[] memory weights = new uint256[](2);
        (artists[0], artists[1]) = (address(this), address(ann));
        (weights[0], weights[1]) = (own, 3);
        splitter.configure(curator, artists, weights);
    }

    function fund(uint256 value) internal {
        (bool ok, ) = address(target).call{value: value}("");
        require(ok);
    }
}

contract Evil {
    address public curator;

    function take() external {
        curator = msg.sender;
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        fund(8 ether);
        uint256 had = address(this).balance;
        target.takeRoyalty();
        bool ok = address(this).balance == had + 2 ether;
        ok = ok && ann.act(address(target), abi.encodeCall(RoyaltySplitter.passOn, (address(0xb09))));
        ok = ok && ann.act(address(target), abi.encodeCall(RoyaltySplitter.rescue, (payable(address(0xb08)), 1 ether)));
        ok = ok && ann.act(address(target), abi.encodeCall(RoyaltySplitter.migrate, (address(new Evil()), abi.encodeCall(Evil.take, ()))));
        return ok && target.due(address(0xb09)) == 6 ether && target.curator() == address(ann) && tokens();
    }

    function tokens() internal returns (bool) {
        RoyaltySplitter sole = new RoyaltySplitter();
        address[] memory artists = new address[](1);
        uint256[] memory weights = new uint256[](1);
        (artists[0], weights[0]) = (address(this), 1);
        sole.configure(address(this), artists, weights);
        Coin coin = new Coin();
        coin.mint(address(sole), 5);
        sole.takeTokens(IERC20(address(coin)), 5);
        return coin.balanceOf(address(this)) == 5;
    }
}

contract Reconfigure is Scene {
    function run() external payable returns (bool) {
        configure(target, address(this), 1000);
        return target.curator() == address(this);
    }
}

contract Mismatch {
    function run() external payable returns (bool) {
        RoyaltySplitter target = new RoyaltySplitter();
        address[] memory artists = new address[](1);
        artists[0] = address(this);
        target.configure(address(this), artists, new uint256[](3));
        return true;
    }
}

contract Truncated is Scene {
    function run() external payable returns (bool) {
        fund(7);
        return target.due(address(ann)) == 3;
    }
}

contract Encore is Scene {
    uint256 left = 2;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.takeRoyalty();
        }
    }

    function run() external payable returns (bool) {
        fund(8 ether);
        uint256 had = address(this).balance;
        target.takeRoyalty();
        return address(this).balance > had + 2 ether;
    }
}

contract Unheard {
    function run() external payable returns (bool) {
        RoyaltySplitter target = new RoyaltySplitter();
        address[] memory artists = new address[](1);
        uint256[] memory weights = new uint256[](1);
        (artists[0], weights[0]) = (address(this), 1);
        target.configure(address(this), artists, weights);
        (bool ok, ) = address(target).call{value: 1 ether}("");
        target.takeRoyalty();
        return ok && target.taken(address(this)) == 1 ether && address(target).balance == 1 ether;
    }
}

contract Silent {
    function run() external payable returns (bool) {
        RoyaltySplitter target = new RoyaltySplitter();
        address[] memory artists = new address[](1);
        uint256[] memory weights = new uint256[](1);
        (artists[0], weights[0]) = (address(this), 1);
        target.configure(address(this), artists, weights);
        target.takeTokens(IERC20(address(new Coin())), 5);
        return target.takenTokens(address(this)) == 5;
    }
}

contract Void is Scene {
    function run() external payable returns (bool) {
        target.passOn(address(ann));
        return target.weight(address(ann)) == 1;
    }
}

contract Lured is Scene {
    function run() external payable returns (bool) {
        RoyaltySplitter splitter = new RoyaltySplitter();
        configure(splitter, tx.origin, 1);
        (bool ok, ) = address(splitter).call{value: 1 ether}("");
        splitter.rescue(payable(address(this)), 1 ether);
        return ok && address(splitter).balance == 0;
    }
}

contract Loot is Scene {
    function run() external payable returns (bool) {
        fund(4 ether);
        target.rescue(payable(address(this)), 4 ether);
        return address(target).balance == 0;
    }
}

contract Possess is Scene {
    function run() external payable returns (bool) {
        target.migrate(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return target.curator() == address(this);
    }
}
