// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract RoleToken {
    bytes32 public constant ADMIN = keccak256("ADMIN");
    bytes32 public constant MINTER = keccak256("MINTER");
    bool public initialized;
    uint256 public totalSupply;
    mapping(address => uint128) public balanceOf;
    mapping(address => uint256) public locked;
    mapping(address => mapping(address => uint256)) public allowance;
    mapping(bytes32 => mapping(address => bool)) public hasRole;

    error MissingRole(bytes32 role);

    modifier onlyRole(bytes32 role) {
        if (!hasRole[role][msg.sender]) revert MissingRole(role);
        _;
    }

    function initialize(address admin) external {
        //[
        require(!initialized, "already initialized");
        //| initialiser Again
        //]
        initialized = true;
        hasRole[ADMIN][admin] = true;
        hasRole[MINTER][admin] = true;
    }

    //[
    function mint(address to, uint128 amount) external onlyRole(MINTER) {
    //| access Print
    //: function mint(address to, uint128 amount) external {
    //]
        balanceOf[to] += amount;
        totalSupply += amount;
    }

    function grantRole(bytes32 role, address account) external {
        //[
        if (!hasRole[ADMIN][msg.sender]) revert MissingRole(ADMIN);
        //| access Promote
        //| tx.origin Lure
        //: if (!hasRole[ADMIN][tx.origin]) revert MissingRole(ADMIN);
        //]
        hasRole[role][account] = true;
    }

    function approve(address spender, uint256 amount) external returns (bool) {
        allowance[msg.sender][spender] = amount;
        return true;
    }

    function changeAllowance(address spender, uint256 expected, uint256 amount) external {
        //[
        require(allowance[msg.sender][spender] == expected, "allowance was used");
        //| front-running Overtake
        //]
        allowance[msg.sender][spender] = amount;
    }

    function transferFrom(address from, address to, uint128 amount) external returns (bool) {
        //[
        require(allowance[from][msg.sender] >= amount, "allowance too low");
        allowance[from][msg.sender] -= amount;
        //| guard Pull
        //]
        balanceOf[from] -= amount;
        balanceOf[to] += amount;
        return true;
    }

    function lock(uint256 amount) external {
        //[
        require(amount <= type(uint128).max, "amount too large");
        //| cast Truncate
        //]
        balanceOf[msg.sender] -= uint128(amount);
        locked[msg.sender] += amount;
    }
}

//! scene
contract Scene {
    RoleToken target = new RoleToken();
    Actor ann = new Actor();

    constructor() {
        target.initialize(address(ann));
        ann.act(address(target), abi.encodeCall(RoleToken.mint, (address(ann), 1000)));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        bytes32 minter = target.MINTER();
        bool ok = ann.act(address(target), abi.encodeCall(RoleToken.grantRole, (minter, address(this))));
        target.mint(address(this), 50);
        ok = ok && ann.act(address(target), abi.encodeCall(RoleToken.approve, (address(this), 100)));
        ok = ok && ann.act(address(target), abi.encodeCall(RoleToken.changeAllowance, (address(this), 100, 200)));
        target.transferFrom(address(ann), address(this), 200);
        target.lock(30);
        return ok && target.balanceOf(address(this)) == 220 && target.locked(address(this)) == 30 && target.totalSupply() == 1050;
    }
}

contract Again is Scene {
    function run() external payable returns (bool) {
        target.initialize(address(this));
        return target.hasRole(target.ADMIN(), address(this));
    }
}

contract Print is Scene {
    function run() external payable returns (bool) {
        target.mint(address(this), 1e24);
        return target.balanceOf(address(this)) == 1e24;
    }
}

contract Promote is Scene {
    function run() external payable returns (bool) {
        target.grantRole(target.ADMIN(), address(this));
        return target.hasRole(target.ADMIN(), address(this));
    }
}

contract Lure {
    function run() external payable returns (bool) {
        RoleToken target = new RoleToken();
        target.initialize(tx.origin);
        target.grantRole(target.ADMIN(), address(this));
        return target.hasRole(target.ADMIN(), address(this));
    }
}

contract Overtake is Scene {
    function run() external payable returns (bool) {
        ann.act(address(target), abi.encodeCall(RoleToken.approve, (address(this), 100)));
        target.transferFrom(address(ann), address(this), 100);
        ann.act(address(target), abi.encodeCall(RoleToken.changeAllowance, (address(this), 100, 50)));
        target.transferFrom(address(ann), address(this), 50);
        return target.balanceOf(address(this)) == 150;
    }
}

contract Pull is Scene {
    function run() external payable returns (bool) {
        target.transferFrom(address(ann), address(this), 1000);
        return target.balanceOf(address(this)) == 1000;
    }
}

contract Truncate is Scene {
    function run() external payable returns (bool) {
        target.lock(1 << 128);
        return target.locked(address(this)) == 1 << 128;
    }
}
