// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Staking {
    IERC20 public immutable token;
    address public distributor;
    uint256 public totalStaked;
    uint256 public rewardPerToken;
    mapping(address => uint128) public staked;
    mapping(address => uint256) public paidPerToken;
    mapping(address => uint256) public earned;

    constructor(IERC20 token_, address distributor_) {
        token = token_;
        distributor = distributor_;
    }

    function settle(address user) internal {
        earned[user] += staked[user] * (rewardPerToken - paidPerToken[user]) / 1e18;
        paidPerToken[user] = rewardPerToken;
    }

    function stake(uint256 amount) external {
        settle(msg.sender);
        //[
        require(amount <= type(uint128).max, "too much");
        //| cast Wrap
        //]
        //[
        require(token.transferFrom(msg.sender, address(this), uint128(amount)), "payment failed");
        //| unchecked-call Free
        //: token.transferFrom(msg.sender, address(this), uint128(amount));
        //]
        staked[msg.sender] += uint128(amount);
        totalStaked += amount;
    }

    function unstake(uint128 amount) external {
        settle(msg.sender);
        unchecked {
            //[
            require(staked[msg.sender] >= amount, "not staked");
            //| guard Overdraw
            //]
            staked[msg.sender] -= amount;
            totalStaked -= amount;
        }
        require(token.transfer(msg.sender, amount), "payment failed");
    }

    function reward() external payable {
        //[
        require(msg.sender == distributor, "only the distributor");
        //| access Meddle
        //]
        //[
        rewardPerToken += msg.value * 1e18 / totalStaked;
        //| rounding Crumbs
        //: rewardPerToken += msg.value / totalStaked * 1e18;
        //]
    }

    function claim() external {
        settle(msg.sender);
        uint256 amount = earned[msg.sender];
        //[
        earned[msg.sender] = 0;
        (bool success, ) = msg.sender.call{value: amount}("");
        require(success, "payment failed");
        //| reentrancy Loop
        //: (bool success, ) = msg.sender.call{value: amount}("");
        //: require(success, "payment failed");
        //: earned[msg.sender] = 0;
        //| unchecked-call Forfeit
        //: earned[msg.sender] = 0;
        //: msg.sender.call{value: amount}("");
        //]
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Actor ann = new Actor();
    Staking target = new Staking(IERC20(address(coin)), address(ann));

    constructor() {
        coin.mint(address(this), 1000);
        coin.mint(address(ann), 1000);
    }

    receive() external payable virtual {}

    function pay(uint256 value) internal returns (bool) {
        return ann.act{value: value}(address(target), abi.encodeCall(Staking.reward, ()));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.stake(300);
        bool ok = ann.act(address(target), abi.encodeCall(Staking.stake, (100))) && pay(4 ether);
        target.unstake(200);
        uint256 had = address(this).balance;
        target.claim();
        return ok && address(this).balance == had + 3 ether && target.totalStaked() == 200 && coin.balanceOf(address(this)) == 900;
    }
}

contract Wrap is Scene {
    function run() external payable returns (bool) {
        target.stake(1 << 128);
        return target.totalStaked() == 1 << 128;
    }
}

contract Free is Scene {
    function run() external payable returns (bool) {
        target.stake(5000);
        return target.staked(address(this)) == 5000;
    }
}

contract Overdraw is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(Staking.stake, (900)));
        target.unstake(900);
        return coin.balanceOf(address(this)) == 1900;
    }
}

contract Meddle is Scene {
    function run() external payable returns (bool) {
        target.stake(1);
        target.reward{value: 1}();
        return target.rewardPerToken() == 1e18;
    }
}

contract Crumbs is Scene {
    function run() external payable returns (bool) {
        target.stake(1000);
        pay(999);
        target.claim();
        return address(target).balance == 999;
    }
}

contract Loop is Scene {
    uint256 left = 2;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.claim();
        }
    }

    function run() external payable returns (bool) {
        target.stake(100);
        ann.act(address(target), abi.encodeCall(Staking.stake, (900)));
        pay(10 ether);
        uint256 had = address(this).balance;
        target.claim();
        return address(this).balance > had + 1 ether;
    }
}

contract Forfeit is Scene {
    function run() external payable returns (bool) {
        Mute mute = new Mute();
        coin.mint(address(mute), 10);
        mute.act(address(target), abi.encodeCall(Staking.stake, (10)));
        pay(1 ether);
        bool ok = mute.act(address(target), abi.encodeCall(Staking.claim, ()));
        return ok && address(target).balance == 1 ether;
    }
}
