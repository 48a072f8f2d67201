// Loaded before everything else by a process whose clock is to be wrong (SKEW_MS).

const skew_ms = Number(process.env['SKEW_MS'] ?? 0);
const RealDate = Date;

globalThis.Date = new Proxy(RealDate, {
  construct: (target, args, made) =>
    args.length === 0
      ? Reflect.construct(target, [RealDate.now() + skew_ms], made)
      : Reflect.construct(target, args, made),
  get: (target, property) =>
    property === 'now' ? () => RealDate.now() + skew_ms : Reflect.get(target, property),
});
