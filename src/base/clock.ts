/** The time that rules go by. Kenya keeps UTC+3 all year, so a fixed offset is exact. */

const eat_offset_ms = 3 * 60 * 60 * 1000;

export const clock = {
  now: (): Date => new Date(),
};

/** The date in Nairobi, "2026-02-03". */
export function eatDate(at: Date): string {
  return new Date(at.getTime() + eat_offset_ms).toISOString().slice(0, 10);
}

/** A moment as Nairobi's clock shows it, in RFC 3339: "2026-02-03T14:30:00+03:00". */
export function eatMoment(at: Date): string {
  const shown = new Date(at.getTime() + eat_offset_ms).toISOString();
  return `${shown.slice(0, 23).replace(/\.000$/, '')}+03:00`;
}

/** The time of day in Nairobi, "14:30". */
export function eatTime(at: Date): string {
  return new Date(at.getTime() + eat_offset_ms).toISOString().slice(11, 16);
}

/** The moment at which a day in Nairobi, "2026-02-03", begins. */
export function startOfEatDay(date: string): Date {
  return new Date(`${date}T00:00:00+03:00`);
}

/** Daraja's YYYYMMDDHHmmss, which is Nairobi's time. Undefined when it is no such moment. */
export function fromDarajaTime(text: string): Date | undefined {
  const p = /^(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)$/.exec(text);
  if (!p) return undefined;
  const at = new Date(`${p[1]}-${p[2]}-${p[3]}T${p[4]}:${p[5]}:${p[6]}+03:00`);
  // A 31 February rolls over instead of failing, so the date is read back.
  return !Number.isNaN(at.getTime()) && toDarajaTime(at) === text ? at : undefined;
}

/** A moment as Daraja's YYYYMMDDHHmmss in Nairobi. */
export function toDarajaTime(at: Date): string {
  return new Date(at.getTime() + eat_offset_ms).toISOString().slice(0, 19).replace(/\D/g, '');
}
