// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract UpgradeableWallet {
    address public admin;
    address public implementation;
    bool private _initialized;
    mapping(address => bool) public trusted;
    mapping(bytes4 => address) public extensions;

    event Upgraded(address implementation);

    error NotAdmin();
    error AlreadyInitialized();

    receive() external payable {}

    function initialize(address admin_) external {
        //[
        if (_initialized) revert AlreadyInitialized();
        //| initialiser Reinit
        //]
        _initialized = true;
        admin = admin_;
    }

    function initializeV2(address implementation_) external {
        //[
        if (implementation != address(0)) revert AlreadyInitialized();
        //| initialiser ReinitV2
        //]
        implementation = implementation_;
        emit Upgraded(implementation_);
    }

    function upgradeTo(address implementation_) external {
        //[
        if (msg.sender != admin) revert NotAdmin();
        //| access Swap
        //| tx.origin OriginSwap
        //: if (tx.origin != admin) revert NotAdmin();
        //]
        //[
        require(implementation_.code.length > 0, "not a contract");
        //| guard Brick
        //]
        implementation = implementation_;
        emit Upgraded(implementation_);
    }

    function trust(address module, bool allowed) external {
        if (msg.sender != admin) revert NotAdmin();
        trusted[module] = allowed;
    }

    function useModule(address module, bytes calldata data) external returns (bytes memory) {
        //[
        if (!trusted[module]) revert NotAdmin();
        //| delegatecall Module
        //]
        (bool ok, bytes memory result) = module.delegatecall(data);
        require(ok, "module failed");
        return result;
    }

    function upgradeAndCall(address implementation_, bytes calldata data) external {
        //[
        if (msg.sender != admin) revert NotAdmin();
        //| delegatecall CallIn
        //]
        implementation = implementation_;
        (bool ok, ) = implementation_.delegatecall(data);
        require(ok, "call failed");
    }

    function send(address payable to, uint256 amount) external {
        //[
        if (msg.sender != admin) revert NotAdmin();
        //| access Spend
        //| tx.origin OriginSpend
        //: if (tx.origin != admin) revert NotAdmin();
        //]
        //[
        (bool ok, ) = to.call{value: amount}("");
        require(ok, "send failed");
        //| unchecked-call Quiet
        //: to.call{value: amount}("");
        //]
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    UpgradeableWallet target = new UpgradeableWallet();

    constructor() {
        target.initialize(address(ann));
        target.initializeV2(address(ann));
    }

    receive() external payable {}

    function fund() internal {
        (bool ok, ) = address(target).call{value: 5 ether}("");
        require(ok);
    }
}

contract Evil {
    address public admin;

    function take(address to) external {
        admin = to;
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        fund();
        address evil = address(new Evil());
        bool ok = ann.act(address(target), abi.encodeCall(UpgradeableWallet.upgradeTo, (evil)));
        ok = ok && target.implementation() == evil;
        ok = ok && ann.act(address(target), abi.encodeCall(UpgradeableWallet.send, (payable(address(0xb09)), 1 ether)));
        ok = ok && ann.act(address(target), abi.encodeCall(UpgradeableWallet.trust, (evil, true)));
        target.useModule(evil, abi.encodeCall(Evil.take, (address(ann))));
        ok = ok && ann.act(address(target), abi.encodeCall(UpgradeableWallet.upgradeAndCall, (evil, abi.encodeCall(Evil.take, (address(this))))));
        return ok && address(target).balance == 4 ether && target.admin() == address(this);
    }
}

contract Reinit is Scene {
    function run() external payable returns (bool) {
        target.initialize(address(this));
        return target.admin() == address(this);
    }
}

contract ReinitV2 is Scene {
    function run() external payable returns (bool) {
        target.initializeV2(address(this));
        return target.implementation() == address(this);
    }
}

contract Swap is Scene {
    function run() external payable returns (bool) {
        target.upgradeTo(address(new Evil()));
        return target.implementation() != address(ann);
    }
}

contract OriginSwap {
    function run() external payable returns (bool) {
        UpgradeableWallet target = new UpgradeableWallet();
        target.initialize(tx.origin);
        target.upgradeTo(address(new Evil()));
        return target.implementation() != address(0);
    }
}

contract Brick is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(UpgradeableWallet.upgradeTo, (address(0xdead))));
        return target.implementation() == address(0xdead);
    }
}

contract Module is Scene {
    function run() external payable returns (bool) {
        target.useModule(address(new Evil()), abi.encodeCall(Evil.take, (address(this))));
        return target.admin() == address(this);
    }
}

contract CallIn is Scene {
    function run() external payable returns (bool) {
        target.upgradeAndCall(address(new Evil()), abi.encodeCall(Evil.take, (address(this))));
        return target.admin() == address(this);
    }
}

contract Spend is Scene {
    function run() external payable returns (bool) {
        fund();
        target.send(payable(address(this)), 5 ether);
        return address(target).balance == 0;
    }
}

contract OriginSpend {
    receive() external payable {}

    function run() external payable returns (bool) {
        UpgradeableWallet target = new UpgradeableWallet();
        target.initialize(tx.origin);
        (bool ok, ) = address(target).call{value: 5 ether}("");
        target.send(payable(address(this)), 5 ether);
        return ok && address(target).balance == 0;
    }
}

contract Quiet is Scene {
    function run() external payable returns (bool) {
        fund();
        Mute mute = new Mute();
        bool ok = ann.act(address(target), abi.encodeCall(UpgradeableWallet.send, (payable(address(mute)), 1 ether)));
        return ok && address(mute).balance == 0;
    }
}
