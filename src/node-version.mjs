// Loaded before anything else: TypeScript sources need Node 24, and an older one should say so kindly.
const major = Number(process.versions.node.split('.')[0]);
if (major < 24) {
  process.stderr.write(
    `Karani needs Node 24 or newer, and this is ${process.version}. ` +
      'On 64-bit Linux "npm ci" brings it along (run "npm start", not "node"); elsewhere install it from nodejs.org.\n',
  );
  process.exit(1);
}
// What was read and compiled once need not be again: a command starts in two thirds of the time.
process.getBuiltinModule('node:module').enableCompileCache();
