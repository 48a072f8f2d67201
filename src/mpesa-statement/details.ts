import { shownLine } from '../base/text.ts';

/** M-Pesa's accounts of a shortcode that statements are of, or that money moves between. */
export const mpesa_accounts = ['utility', 'merchant', 'working', 'settlement'] as const;
export type MpesaAccount = (typeof mpesa_accounts)[number];

/** What a line of a statement says happened. */
export type Meaning =
  | { kind: 'payment'; payer_given: string; payer_name: string | null; account_typed: string }
  /** M-Pesa's own price; given back when it came in. */
  | { kind: 'charge' }
  | { kind: 'move'; from: MpesaAccount; to: MpesaAccount | 'bank' }
  /** A payment that M-Pesa has taken back; its receipt, where the line says it. */
  | { kind: 'reversal'; reversed_receipt: string | null }
  /** Money that we sent, what that cost, or what came back of it. */
  | { kind: 'payout' }
  | { kind: 'other' }
  /** Declined, cancelled, or of nothing. */
  | { kind: 'nothing' };

/** The words of a line, whichever layout they came in. */
export interface Said {
  receipt: string;
  /** Whether M-Pesa completed it. */
  completed: boolean;
  details: string;
  /** Above 0 what came in. */
  amount_cents: bigint;
  /** The account that the statement is of. */
  account: MpesaAccount;
  /** Columns of their own, which one layout has and the other has not. */
  reason?: string | undefined;
  other_party?: string | undefined;
  account_no?: string | undefined;
  linked?: string | undefined;
}

const takes_money = /\b(?:pay ?bill|pay utility|merchant pay(?:ment)?|pay merchant|buy goods)\b/i;
const to_small_business = /\bsmall business\b/i;
const is_charge = /\bcharges?\b/i;
const is_reversal = /\b(?:reversal|reversed|reverse)\b/i;
const is_payout =
  /\b(?:business payment|salary|promotion|b2c|b2b|business to|business pay ?bill|disburse\w*)\b/i;

/** What a line means. Only Safaricom's own words decide: what a payer typed comes after "Acc.". */
export function meaningOf(said: Said): Meaning {
  if (!said.completed || said.amount_cents === 0n) return { kind: 'nothing' };
  const parts = partsOf(said.details);
  const meaning = meaningOfWords(parts, said);
  // The words of another column, where these say nothing that we know.
  if (meaning.kind !== 'other' || !said.reason) return meaning;
  return meaningOfWords({ ...parts, head: said.reason }, said);
}

function meaningOfWords(parts: Parts, said: Said): Meaning {
  const { head } = parts;
  const came_in = said.amount_cents > 0n;
  if (is_charge.test(head)) return is_payout.test(head) ? { kind: 'payout' } : { kind: 'charge' };
  if (is_reversal.test(head)) {
    if (came_in) return { kind: 'payout' };
    return { kind: 'reversal', reversed_receipt: reversedReceipt(said, head) };
  }
  if (takes_money.test(head) || to_small_business.test(head)) {
    if (came_in) return paymentOf(parts, said);
    // The same words the other way round: it was taken back. By whom we pay is "by" or "to".
    const taken_back = parts.joint === 'from';
    return taken_back ? { kind: 'reversal', reversed_receipt: said.receipt } : { kind: 'payout' };
  }
  const move = moveOf(head, said.account);
  if (move) return isItsWay(move, said) ? move : { kind: 'other' };
  return !came_in && is_payout.test(head) ? { kind: 'payout' } : { kind: 'other' };
}

interface Parts {
  /** Safaricom's words: all before who it was from. */
  head: string;
  joint: 'from' | 'by' | null;
  payer_given: string;
  name: string;
  account_typed: string | null;
}

// "Pay Bill Online from 25470****111 - ALICE **** NAME Acc. INV-1"
const before_payer = /^(.*?) (from|by) (?=[+\d*])/i;
const by_bank = /^FSI\b/i;
const way_of_bank = / via [A-Z]{3,10} by [^]*$/;

function partsOf(details: string): Parts {
  const found = before_payer.exec(details);
  if (!found) {
    const [head, account_typed] = split(details, ' Acc.');
    return { head, joint: null, payer_given: '', name: '', account_typed };
  }
  const [all, head = '', joint = ''] = found;
  const rest = details.slice(all.length);
  const [who, typed] = split(by_bank.test(head) ? rest.replace(way_of_bank, '') : rest, ' Acc.');
  const [payer_given, name] = split(who, ' - ');
  return {
    head,
    joint: joint.toLowerCase() === 'from' ? 'from' : 'by',
    payer_given: payer_given.trim(),
    name: name ?? '',
    account_typed: typed,
  };
}

/** At the first place: names are M-Pesa's, and all that follows "Acc." is the payer's. */
function split(text: string, at: string): [string, string | null] {
  const index = text.indexOf(at);
  return index === -1 ? [text, null] : [text.slice(0, index), text.slice(index + at.length).trim()];
}

function paymentOf(parts: Parts, said: Said): Meaning {
  const [number, name] = split(said.other_party ?? '', ' - ');
  const payer_name = plainName(parts.name) || plainName(name ?? '');
  return {
    kind: 'payment',
    payer_given: parts.payer_given || number,
    payer_name: payer_name || null,
    account_typed: shownLine(parts.account_typed || said.account_no || '', 100),
  };
}

// "ALICE **** NAME": stars stand for what is hidden, and are bold on WhatsApp.
function plainName(name: string): string {
  return shownLine(name.replace(/\*+/g, ' '), 100);
}

const receipt_form = /\b(?=[A-Z]*\d)(?=\d*[A-Z])[A-Z0-9]{10}\b/g;

function reversedReceipt(said: Said, head: string): string | null {
  const linked = said.linked?.toUpperCase();
  if (linked && /^[A-Z0-9]{6,20}$/.test(linked)) return linked;
  const named = [...head.matchAll(receipt_form)].map((match) => match[0]);
  const others = new Set(named.filter((receipt) => receipt !== said.receipt));
  // Two are a riddle, and a person reads it.
  return others.size === 1 ? ([...others][0] ?? null) : null;
}

const account_name = '(?:organi[sz]ation )?(utility|merchant|working|mmf|settlement)(?: account)?';
const between = new RegExp(`\\b${account_name} to ${account_name}\\b`, 'i');
const from_account_to_bank = new RegExp(`\\b${account_name} to (?:\\w+ )?bank\\b`, 'i');
const to_bank = /\b(?:withdraw\w*|settle\w*|transfer) (?:\w+ ){0,3}to (?:\w+ )?bank\b/i;

function moveOf(head: string, own: MpesaAccount): Extract<Meaning, { kind: 'move' }> | undefined {
  const both = between.exec(head);
  if (both) {
    const [from, to] = [accountNamed(both[1]), accountNamed(both[2])];
    return from && to && from !== to ? { kind: 'move', from, to } : undefined;
  }
  const named = from_account_to_bank.exec(head);
  if (named) return { kind: 'move', from: accountNamed(named[1]) ?? own, to: 'bank' };
  return to_bank.test(head) ? { kind: 'move', from: own, to: 'bank' } : undefined;
}

// Out of the account that it names first, or into the second.
function isItsWay(move: { from: string; to: string }, { account, amount_cents }: Said): boolean {
  if (move.from === account || move.to === 'bank') return amount_cents < 0n;
  if (move.to === account) return amount_cents > 0n;
  return true;
}

/** Which account a statement means: "Utility Account", "Organization MMF Account". */
export function accountNamed(text = ''): MpesaAccount | undefined {
  const name = text.toLowerCase();
  // Safaricom calls the Working account MMF as well.
  if (/\bmmf\b/.test(name)) return 'working';
  return mpesa_accounts.find((account) => name.includes(account));
}
