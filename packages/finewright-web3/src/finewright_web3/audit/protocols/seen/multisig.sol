// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Multisig {
    uint256 public threshold;
    uint256 public nonce;
    mapping(address => bool) public isOwner;
    mapping(bytes32 => mapping(address => bool)) public confirmed;
    mapping(bytes32 => uint256) public confirmations;
    mapping(bytes32 => bool) public executed;

    modifier onlySelf() {
        require(msg.sender == address(this), "only through the wallet");
        _;
    }

    receive() external payable {}

    function setup(address[] calldata owners, uint256 threshold_) external {
        //[
        require(threshold == 0, "set up before");
        //| initialiser Resetup
        //]
        require(threshold_ > 0 && threshold_ <= owners.length, "bad threshold");
        threshold = threshold_;
        for (uint256 i; i < owners.length; i++) isOwner[owners[i]] = true;
    }

    //[
    function addOwner(address owner) external onlySelf {
    //| access Join
    //: function addOwner(address owner) external {
    //]
        isOwner[owner] = true;
    }

    function confirm(bytes32 id) external {
        require(isOwner[msg.sender], "not an owner");
        //[
        require(!confirmed[id][msg.sender], "confirmed before");
        //| guard Stuff
        //]
        confirmed[id][msg.sender] = true;
        confirmations[id]++;
    }

    function execute(address to, uint256 value, bytes calldata data) external {
        bytes32 id = keccak256(abi.encode(to, value, data));
        //[
        require(confirmations[id] >= threshold, "not confirmed");
        //| guard Alone
        //]
        //[
        require(!executed[id], "executed before");
        //| replay Repeat
        //]
        executed[id] = true;
        //[
        (bool ok, ) = to.call{value: value}(data);
        require(ok, "call failed");
        //| unchecked-call Ignore
        //: to.call{value: value}(data);
        //]
    }

    function executeSigned(address payable to, uint256 value, uint8 v, bytes32 r, bytes32 s) external {
        //[
        bytes32 digest = keccak256(abi.encode(address(this), block.chainid, to, value, nonce++));
        //| replay Resign
        //: bytes32 digest = keccak256(abi.encode(address(this), block.chainid, to, value));
        //]
        require(threshold == 1 && isOwner[ecrecover(digest, v, r, s)], "bad signature");
        to.transfer(value);
    }

    function runScript(address script, bytes calldata data) external {
        //[
        require(msg.sender == address(this), "only through the wallet");
        //| delegatecall Script
        //]
        (bool ok, ) = script.delegatecall(data);
        require(ok, "script failed");
    }
}

//! scene
contract Scene {
    Multisig target = new Multisig();
    Actor ann = new Actor();
    Actor bob = new Actor();

    constructor() payable {
        address[] memory owners = new address[](2);
        owners[0] = address(ann);
        owners[1] = address(bob);
        target.setup(owners, 2);
    }

    receive() external payable {}

    function fund() internal {
        (bool ok, ) = address(target).call{value: 10 ether}("");
        require(ok);
    }

    function approve(Actor who, address to, uint256 value, bytes memory data) internal {
        who.act(address(target), abi.encodeCall(Multisig.confirm, (keccak256(abi.encode(to, value, data)))));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        fund();
        bytes memory data = abi.encodeCall(Multisig.addOwner, (address(this)));
        approve(ann, address(target), 0, data);
        approve(bob, address(target), 0, data);
        target.execute(address(target), 0, data);
        approve(ann, address(0xb07), 2 ether, "");
        approve(bob, address(0xb07), 2 ether, "");
        target.execute(address(0xb07), 2 ether, "");
        return target.isOwner(address(this)) && address(target).balance == 8 ether && signed();
    }

    function signed() internal returns (bool) {
        Multisig wallet = new Multisig();
        address[] memory owners = new address[](1);
        owners[0] = Sig.signerOf(keccak256(abi.encode(address(wallet), block.chainid, address(0xb08), 1 ether, uint256(0))));
        wallet.setup(owners, 1);
        (bool ok, ) = address(wallet).call{value: 2 ether}("");
        wallet.executeSigned(payable(address(0xb08)), 1 ether, 27, Sig.R, Sig.S);
        return ok && address(wallet).balance == 1 ether;
    }
}

contract Resetup is Scene {
    function run() external payable returns (bool) {
        address[] memory owners = new address[](1);
        owners[0] = address(this);
        target.setup(owners, 1);
        return target.isOwner(address(this)) && target.threshold() == 1;
    }
}

contract Join is Scene {
    function run() external payable returns (bool) {
        target.addOwner(address(this));
        return target.isOwner(address(this));
    }
}

contract Stuff is Scene {
    function run() external payable returns (bool) {
        fund();
        approve(ann, address(0xb09), 4 ether, "");
        approve(ann, address(0xb09), 4 ether, "");
        target.execute(address(0xb09), 4 ether, "");
        return address(target).balance == 6 ether;
    }
}

contract Alone is Scene {
    function run() external payable returns (bool) {
        fund();
        uint256 had = address(this).balance;
        target.execute(address(this), 4 ether, "");
        return address(this).balance == had + 4 ether;
    }
}

contract Repeat is Scene {
    function run() external payable returns (bool) {
        fund();
        approve(ann, address(0xb09), 4 ether, "");
        approve(bob, address(0xb09), 4 ether, "");
        target.execute(address(0xb09), 4 ether, "");
        target.execute(address(0xb09), 4 ether, "");
        return address(target).balance == 2 ether;
    }
}

contract Ignore is Scene {
    function run() external payable returns (bool) {
        Mute mute = new Mute();
        approve(ann, address(mute), 4 ether, "");
        approve(bob, address(mute), 4 ether, "");
        target.execute(address(mute), 4 ether, "");
        return target.executed(keccak256(abi.encode(address(mute), 4 ether, "")));
    }
}

contract Resign {
    function run() external payable returns (bool) {
        Multisig wallet = new Multisig();
        address[] memory owners = new address[](2);
        owners[0] = Sig.signerOf(keccak256(abi.encode(address(wallet), block.chainid, address(0xb08), 1 ether)));
        owners[1] = Sig.signerOf(keccak256(abi.encode(address(wallet), block.chainid, address(0xb08), 1 ether, uint256(0))));
        wallet.setup(owners, 1);
        (bool ok, ) = address(wallet).call{value: 2 ether}("");
        wallet.executeSigned(payable(address(0xb08)), 1 ether, 27, Sig.R, Sig.S);
        wallet.executeSigned(payable(address(0xb08)), 1 ether, 27, Sig.R, Sig.S);
        return ok && address(wallet).balance == 0;
    }
}

contract Evil {
    uint256 public threshold;

    function take() external {
        threshold = 0;
    }
}

contract Script is Scene {
    function run() external payable returns (bool) {
        target.runScript(address(new Evil()), abi.encodeCall(Evil.take, ()));
        return target.threshold() == 0;
    }
}
