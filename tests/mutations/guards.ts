import type { Guard } from './guard.ts';
import { api } from './guards/api.ts';
import { attacks } from './guards/attacks.ts';
import { channels } from './guards/channels.ts';
import { doors } from './guards/doors.ts';
import { inbox } from './guards/inbox.ts';
import { ledger } from './guards/ledger.ts';
import { invoices } from './guards/invoices.ts';
import { linked } from './guards/linked.ts';
import { messages } from './guards/messages.ts';
import { payments } from './guards/payments.ts';
import { people } from './guards/people.ts';
import { prompts } from './guards/prompts.ts';
import { proofs } from './guards/proofs.ts';
import { recovery } from './guards/recovery.ts';
import { statements } from './guards/statements.ts';
import { turns } from './guards/turns.ts';

/** Every guard that must not be lost without a test going red. */
export const guards: readonly Guard[] = [
  ...channels,
  ...linked,
  ...doors,
  ...api,
  ...inbox,
  ...payments,
  ...prompts,
  ...recovery,
  ...statements,
  ...invoices,
  ...ledger,
  ...proofs,
  ...messages,
  ...turns,
  ...people,
  ...attacks,
];
