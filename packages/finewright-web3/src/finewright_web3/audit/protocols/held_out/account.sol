// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract SmartAccount {
    address public keyHolder;
    address public guardian;
    uint256 public counter;
    uint48 public lockedUntil;
    mapping(address => bool) public approvedHooks;
    mapping(bytes32 => bool) public consumed;

    event KeyChanged(address key);

    receive() external payable {}

    function bootstrap(address keyHolder_, address guardian_) external {
        //[
        require(keyHolder == address(0), "bootstrapped");
        //| initialiser Rekey
        //]
        keyHolder = keyHolder_;
        guardian = guardian_;
    }

    function run(address dest, uint256 amount, bytes calldata payload) external {
        //[
        require(msg.sender == keyHolder, "key holder only");
        //| access Borrowed
        //| tx.origin Fooled
        //: require(tx.origin == keyHolder, "key holder only");
        //]
        //[
        require(block.timestamp >= lockedUntil, "locked");
        //| guard Unlocked
        //]
        //[
        (bool fine, ) = dest.call{value: amount}(payload);
        require(fine, "operation failed");
        //| unchecked-call Unnoticed
        //: dest.call{value: amount}(payload);
        //]
    }

    function runSigned(address payable dest, uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        //[
        bytes32 opHash = keccak256(abi.encode(block.chainid, dest, amount, counter));
        counter = counter + 1;
        //| replay Rerun
        //: bytes32 opHash = keccak256(abi.encode(block.chainid, dest, amount, counter));
        //]
        require(ecrecover(opHash, v, r, s) == keyHolder, "not the key holder's");
        dest.transfer(amount);
    }

    function spendTicket(address payable dest, bytes32 ticket, uint8 v, bytes32 r, bytes32 s) external {
        bytes32 ticketHash = keccak256(abi.encode(dest, ticket));
        require(ecrecover(ticketHash, v, r, s) == keyHolder, "not the key holder's");
        //[
        require(!consumed[ticketHash], "ticket used");
        consumed[ticketHash] = true;
        //| replay Reticket
        //]
        dest.transfer(1 ether);
    }

    function hook(address code, bytes calldata payload) external {
        //[
        require(approvedHooks[code], "hook not approved");
        //| delegatecall Hooked
        //]
        (bool fine, ) = code.delegatecall(payload);
        require(fine, "hook failed");
    }

    //[
    function approveHook(address code, bool yes) external {
        require(msg.sender == keyHolder, "key holder only");
    //| access SelfApprove
    //: function approveHook(address code, bool yes) external {
    //]
        approvedHooks[code] = yes;
    }

    function lockFor(uint256 time) external {
        require(msg.sender == guardian, "guardian only");
        //[
        require(time <= 30 days, "too long");
        //| cast Timewarp
        //]
        lockedUntil = uint48(block.timestamp + time);
    }

    function recover(address newKey) external {
        //[
        require(msg.sender == guardian, "guardian only");
        //| access Kidnap
        //| tx.origin GuardianFooled
        //: require(tx.origin == guardian, "guardian only");
        //]
        keyHolder = newKey;
        emit KeyChanged(newKey);
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    SmartAccount target = new SmartAccount();

    constructor() {
        target.bootstrap(address(ann), address(this));
    }

    receive() external payable {}

    function fund(SmartAccount account, uint256 value) internal {
        (bool ok, ) = address(account).call{value: value}("");
        require(ok);
    }
}

contract Evil {
    address public keyHolder;

    function take() external {
        keyHolder = msg.sender;
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        fund(target, 5 ether);
        address evil = address(new Evil());
        bool ok = ann.act(address(target), abi.encodeCall(SmartAccount.run, (address(0xb09), 1 ether, "")));
        ok = ok && ann.act(address(target), abi.encodeCall(SmartAccount.approveHook, (evil, true)));
        target.lockFor(0);
        target.hook(evil, abi.encodeCall(Evil.take, ()));
        ok = ok && target.keyHolder() == address(this) && address(target).balance == 4 ether;
        target.recover(Sig.signerOf(keccak256(abi.encode(block.chainid, address(0xb09), 1 ether, uint256(0)))));
        target.runSigned(payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        target.recover(Sig.signerOf(keccak256(abi.encode(address(0xb09), bytes32("t")))));
        target.spendTicket(payable(address(0xb09)), "t", 27, Sig.R, Sig.S);
        return ok && address(target).balance == 2 ether && target.counter() == 1;
    }
}

contract Rekey is Scene {
    function run() external payable returns (bool) {
        target.bootstrap(address(this), address(this));
        return target.keyHolder() == address(this);
    }
}

contract Borrowed is Scene {
    function run() external payable returns (bool) {
        fund(target, 5 ether);
        target.run(address(this), 5 ether, "");
        return address(target).balance == 0;
    }
}

contract Fooled is Scene {
    function run() external payable returns (bool) {
        SmartAccount account = new SmartAccount();
        account.bootstrap(tx.origin, address(ann));
        fund(account, 5 ether);
        account.run(address(this), 5 ether, "");
        return address(account).balance == 0;
    }
}

contract Unlocked is Scene {
    function run() external payable returns (bool) {
        fund(target, 5 ether);
        target.lockFor(1 days);
        return ann.act(address(target), abi.encodeCall(SmartAccount.run, (address(0xb09), 5 ether, "")));
    }
}

contract Unnoticed is Scene {
    function run() external payable returns (bool) {
        return ann.act(address(target), abi.encodeCall(SmartAccount.run, (address(0xb09), 5 ether, "")));
    }
}

contract Rerun is Scene {
    function run() external payable returns (bool) {
        fund(target, 2 ether);
        target.recover(Sig.signerOf(keccak256(abi.encode(block.chainid, address(0xb09), 1 ether, uint256(0)))));
        target.runSigned(payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        target.runSigned(payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        return address(target).balance == 0;
    }
}

contract Reticket is Scene {
    function run() external payable returns (bool) {
        fund(target, 2 ether);
        target.recover(Sig.signerOf(keccak256(abi.encode(address(0xb09), bytes32("t")))));
        target.spendTicket(payable(address(0xb09)), "t", 27, Sig.R, Sig.S);
        target.spendTicket(payable(address(0xb09)), "t", 27, Sig.R, Sig.S);
        return address(target).balance == 0;
    }
}

contract Hooked is Scene {
    function run() external payable returns (bool) {
        target.hook(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return target.keyHolder() == address(this);
    }
}

contract SelfApprove is Scene {
    function run() external payable returns (bool) {
        target.approveHook(address(this), true);
        return target.approvedHooks(address(this));
    }
}

contract Timewarp is Scene {
    function run() external payable returns (bool) {
        target.lockFor((1 << 48) - 1);
        return target.lockedUntil() < block.timestamp;
    }
}

contract Kidnap is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(SmartAccount.recover, (address(0xb01))));
        return target.keyHolder() == address(0xb01);
    }
}

contract GuardianFooled is Scene {
    function run() external payable returns (bool) {
        SmartAccount account = new SmartAccount();
        account.bootstrap(address(ann), tx.origin);
        account.recover(address(this));
        return account.keyHolder() == address(this);
    }
}
