// npm's solc as slither's `--solc`: `--version`, and `--combined-json` of one file, which is all that it asks.
//   node solc_shim.js SOLJSON ARGUMENTS
const fs = require('fs'), [, , soljson, ...args] = process.argv, solc = require(soljson);
const version = solc.cwrap('solidity_version', 'string', [])();
if (args.includes('--version')) { console.log(`solc\nVersion: ${version}`); process.exit(0); }
const compile = solc.cwrap('solidity_compile', 'string', ['string', 'number', 'number']);
const file = args.find((each) => each.endsWith('.sol'));
const asked = { language: 'Solidity', sources: { [file]: { content: fs.readFileSync(file, 'utf8') } },
  settings: { outputSelection: { '*': { '*': ['*'], '': ['ast'] } } } };
const made = JSON.parse(compile(JSON.stringify(asked), 0, 0));
const errors = (made.errors || []).filter((each) => each.severity === 'error');
if (errors.length) { console.error(errors[0].formattedMessage); process.exit(1); }
const contracts = Object.fromEntries(Object.entries(made.contracts[file]).map(([name, { abi, evm, userdoc, devdoc }]) => [
  `${file}:${name}`, { abi, userdoc, devdoc, hashes: evm.methodIdentifiers, bin: evm.bytecode.object,
    'bin-runtime': evm.deployedBytecode.object, srcmap: evm.bytecode.sourceMap, 'srcmap-runtime': evm.deployedBytecode.sourceMap }]));
console.log(JSON.stringify({ contracts, version, sourceList: [file], sources: { [file]: { AST: made.sources[file].ast } } }));
