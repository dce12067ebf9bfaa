// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract PermitToken {
    string public name = "Permit";
    address public minter;
    mapping(address => uint256) public balanceOf;
    mapping(address => uint256) public nonces;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(address => uint64) public frozenUntil;
    mapping(bytes32 => bool) public usedAuthorizations;

    constructor(address minter_) {
        minter = minter_;
    }

    //[
    function mint(address to, uint256 amount) external {
        require(msg.sender == minter, "only the minter");
    //| access Print
    //: function mint(address to, uint256 amount) external {
    //]
        balanceOf[to] += amount;
    }

    function approve(address spender, uint256 value) external {
        allowance[msg.sender][spender] = value;
    }

    function permit(address owner, address spender, uint256 value, uint256 deadline, uint8 v, bytes32 r, bytes32 s) external {
        //[
        require(block.timestamp <= deadline, "expired");
        //| guard Late
        //]
        //[
        bytes32 digest = keccak256(abi.encode(spender, value, nonces[owner]++, deadline));
        //| replay Again
        //: bytes32 digest = keccak256(abi.encode(spender, value, nonces[owner], deadline));
        //]
        require(owner != address(0) && ecrecover(digest, v, r, s) == owner, "bad signature");
        allowance[owner][spender] = value;
    }

    function transferWithAuthorization(address from, address to, uint256 value, bytes32 salt, uint8 v, bytes32 r, bytes32 s) external {
        bytes32 digest = keccak256(abi.encode(to, value, salt));
        require(from != address(0) && ecrecover(digest, v, r, s) == from, "bad signature");
        //[
        require(!usedAuthorizations[digest], "used before");
        usedAuthorizations[digest] = true;
        //| replay Reuse
        //]
        balanceOf[from] -= value;
        balanceOf[to] += value;
    }

    function transferFrom(address from, address to, uint256 amount) external returns (bool) {
        //[
        require(block.timestamp > frozenUntil[from], "frozen");
        //| guard Thaw
        //]
        allowance[from][msg.sender] -= amount;
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }

    function freeze(uint256 until) external {
        //[
        require(until <= type(uint64).max, "too far");
        //| cast Melt
        //]
        frozenUntil[msg.sender] = uint64(until);
    }
}

//! scene
contract Scene {
    PermitToken target = new PermitToken(address(this));
    Actor ann = new Actor();
}

contract Use is Scene {
    function run() external payable returns (bool) {
        uint256 until = block.timestamp + 10;
        address owner = Sig.signerOf(keccak256(abi.encode(address(this), uint256(50), uint256(0), until)));
        target.mint(owner, 90);
        target.permit(owner, address(this), 50, until, 27, Sig.R, Sig.S);
        target.transferFrom(owner, address(ann), 50);
        address other = Sig.signerOf(keccak256(abi.encode(address(ann), uint256(7), bytes32("x"))));
        target.mint(other, 8);
        target.transferWithAuthorization(other, address(ann), 7, "x", 27, Sig.R, Sig.S);
        target.freeze(until);
        return target.balanceOf(address(ann)) == 57 && target.frozenUntil(address(this)) == until;
    }
}

contract Print is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(PermitToken.mint, (address(ann), 5)));
        return target.balanceOf(address(ann)) == 5;
    }
}

contract Late is Scene {
    function run() external payable returns (bool) {
        address owner = Sig.signerOf(keccak256(abi.encode(address(this), uint256(50), uint256(0), uint256(0))));
        target.permit(owner, address(this), 50, 0, 27, Sig.R, Sig.S);
        return target.allowance(owner, address(this)) == 50;
    }
}

contract Again is Scene {
    function run() external payable returns (bool) {
        uint256 until = block.timestamp + 10;
        address owner = Sig.signerOf(keccak256(abi.encode(address(this), uint256(50), uint256(0), until)));
        target.mint(owner, 100);
        target.permit(owner, address(this), 50, until, 27, Sig.R, Sig.S);
        target.transferFrom(owner, address(this), 50);
        target.permit(owner, address(this), 50, until, 27, Sig.R, Sig.S);
        target.transferFrom(owner, address(this), 50);
        return target.balanceOf(address(this)) == 100;
    }
}

contract Reuse is Scene {
    function run() external payable returns (bool) {
        address owner = Sig.signerOf(keccak256(abi.encode(address(this), uint256(7), bytes32("x"))));
        target.mint(owner, 14);
        target.transferWithAuthorization(owner, address(this), 7, "x", 27, Sig.R, Sig.S);
        target.transferWithAuthorization(owner, address(this), 7, "x", 27, Sig.R, Sig.S);
        return target.balanceOf(address(this)) == 14;
    }
}

contract Thaw is Scene {
    function run() external payable returns (bool) {
        target.mint(address(ann), 50);
        ann.act(address(target), abi.encodeCall(PermitToken.approve, (address(this), 50)));
        ann.act(address(target), abi.encodeCall(PermitToken.freeze, (block.timestamp + 10)));
        target.transferFrom(address(ann), address(this), 50);
        return target.balanceOf(address(this)) == 50;
    }
}

contract Melt is Scene {
    function run() external payable returns (bool) {
        target.freeze(1 << 64);
        return target.frozenUntil(address(this)) == 0;
    }
}
