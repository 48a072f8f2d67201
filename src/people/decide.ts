import { sql } from 'kysely';
import type { Tx } from '../base/db.ts';
import { assert, Refusal } from '../base/errors.ts';
import { localPhone } from '../base/phone.ts';
import { staff_roles } from '../base/schema.ts';
import { withdraw } from '../outbox/ask.ts';
import { notify } from '../outbox/notify.ts';
import { knownAtNumber } from './at-number.ts';
import { becomeOne } from './become-one.ts';
import type { Belongings } from './belongings.ts';
import { changeNumber, mayTakeNumber } from './change-number.ts';
import { enrol } from './enrol.ts';
import type { Keyed } from './link.ts';
import { type Spent, spendCode } from './one-time-codes.ts';
import {
  expireRequestsOfOthers,
  inWords,
  lockRequest,
  mayBecomeOne,
  mayChangeRole,
  nameOf,
  type PeopleRequest,
  requestRef,
} from './requests.ts';
import { tellAdmins } from './tell-admins.ts';

/** What another admin decides about a request: the second pair of eyes. */

/**
 * Approves a request with a one-time code, and does what it asks for in the same commit. Who asked
 * and whom it is about never decide, and the code is looked at last, so a refusal costs none.
 * Throws Refusal: not_allowed (no admin any more), decided, own_request, about_you, or what is in
 * the way now: has_role, no_role, by_configuration, last_admin, own_account, works_here, over.
 */
export async function approveRequest(
  tx: Tx,
  belongings: Belongings,
  it: { id: bigint; by: bigint; code: string; keyed: Keyed },
): Promise<Spent> {
  const request = await lockForDecision(tx, it);
  await mayBeDone(tx, belongings, request);
  const spent = await spendCode(tx, it.keyed, it.by, it.code);
  if (spent.result !== 'right') return spent;
  await sql`
    update people_requests set state = 'approved', decided_by = ${it.by}, decided_at = now()
    where id = ${request.id}
  `.execute(tx);
  const values = await wordsOf(tx, request, it.by);
  await carryOut(tx, belongings, request);
  await closeRequest(tx, request, { template: told_of[request.kind], values });
  return spent;
}

/** Refuses a request with a reason. Throws as `approveRequest`. */
export async function refuseRequest(
  tx: Tx,
  it: { id: bigint; by: bigint; reason: string },
): Promise<PeopleRequest> {
  const request = await lockForDecision(tx, it);
  await sql`
    update people_requests set state = 'refused', decided_by = ${it.by}, decided_at = now(),
      reason = ${it.reason}
    where id = ${request.id}
  `.execute(tx);
  const by = (await nameOf(tx, it.by)).who;
  const values = { by, ref: requestRef(request.id), reason: it.reason };
  await closeRequest(tx, request, { template: 'request_refused', values });
  return request;
}

// All admins' rows are locked first, so that of two decisions the second sees what the first did.
async function lockForDecision(
  tx: Tx,
  { id, by }: { id: bigint; by: bigint },
): Promise<PeopleRequest> {
  const { rows } = await sql<{ person_id: bigint }>`
    select person_id from roles where role = 'admin' order by person_id for update
  `.execute(tx);
  const admins = rows.map((row) => row.person_id);
  if (!admins.includes(by)) throw new Refusal('not_allowed');
  const request = await lockRequest(tx, id);
  if (request.asked_by === by) throw new Refusal('own_request');
  if (request.person_id === by || request.other_id === by) throw new Refusal('about_you');
  // What somebody asked for who is no admin any more is asked by nobody.
  if (!admins.includes(request.asked_by)) throw new Refusal('decided');
  return request;
}

async function mayBeDone(tx: Tx, belongings: Belongings, it: PeopleRequest): Promise<void> {
  const { kind, role, person_id } = it;
  if (kind === 'number') {
    return mayTakeNumber(tx, belongings, { owner: person_id, to: it.msisdn ?? '' });
  }
  if (kind === 'merge') return mayBecomeOne(tx, [person_id, it.other_id ?? person_id]);
  assert(role !== null, 'a request for a role names it');
  await mayChangeRole(tx, { kind, role, person_id });
  // The number has become somebody else's since.
  if (kind === 'grant' && (await knownAtNumber(tx, it.msisdn ?? '')) !== person_id) {
    throw new Refusal('over');
  }
}

async function carryOut(tx: Tx, belongings: Belongings, it: PeopleRequest): Promise<void> {
  const { kind, person_id } = it;
  if (kind === 'merge') return merge(tx, belongings, it);
  if (kind === 'number') {
    const [from, to] = [it.old_msisdn ?? '', it.msisdn ?? ''];
    const key = requestRef(it.id);
    await changeNumber(tx, belongings, { owner: person_id, from, to, key });
    // The admins vouch for it, as for any number that they add.
    await enrol(tx, [{ msisdn: to, roles: [] }]);
    return;
  }
  if (kind === 'grant') await grant(tx, it);
  else await revoke(tx, it);
  const { who, phone } = await nameOf(tx, person_id);
  const template = kind === 'grant' ? 'role_given' : 'role_taken';
  await notify(tx, [
    {
      key: `${template}:${it.id}`,
      person_id,
      template,
      values: { ...as_role, [it.role ?? '']: phone === '' ? who : localPhone(phone) },
    },
  ]);
}

async function grant(tx: Tx, { msisdn, name, role, person_id }: PeopleRequest): Promise<void> {
  const named = name === null ? {} : { name };
  await enrol(tx, [{ msisdn: msisdn ?? '', ...named, roles: role ? [role] : [] }]);
  // Who wrote before has no name of ours yet.
  await sql`
    update people set name = ${name} where id = ${person_id} and name is null
  `.execute(tx);
}

async function revoke(tx: Tx, { person_id, role }: PeopleRequest): Promise<void> {
  await sql`delete from roles where person_id = ${person_id} and role = ${role}`.execute(tx);
  if (role !== 'admin') return;
  await expireRequestsOfOthers(tx);
  // Nobody else is asked anything by us.
  await sql`
    update questions set ended_at = now() where person_id = ${person_id} and ended_at is null
  `.execute(tx);
}

async function merge(tx: Tx, belongings: Belongings, it: PeopleRequest): Promise<void> {
  assert(it.other_id !== null, 'a merge has two');
  const keep = it.person_id;
  const [first, second] = [await nameOf(tx, keep), await nameOf(tx, it.other_id)];
  await becomeOne(tx, belongings, { keep, other: it.other_id });
  const values = { phone: first.phone || '-', other: second.phone || '-' };
  await notify(tx, [
    { key: `merged:${it.id}`, person_id: keep, template: 'persons_merged', values },
  ]);
}

const told_of = {
  grant: 'role_granted',
  revoke: 'role_revoked',
  merge: 'request_merged',
  number: 'request_number',
} as const;

// A line of a message is left out where its role is not set.
const as_role = Object.fromEntries(staff_roles.map((role) => [role, '-']));

async function wordsOf(tx: Tx, it: PeopleRequest, by: bigint) {
  const words = await inWords(tx, it);
  return {
    ...as_role,
    ...words,
    ...(it.role === null ? {} : { [it.role]: words.who }),
    by: (await nameOf(tx, by)).who,
    other: it.other_id === null ? '-' : (await nameOf(tx, it.other_id)).who,
  };
}

async function closeRequest(
  tx: Tx,
  { id }: PeopleRequest,
  told: { template: string; values: Record<string, string> },
): Promise<void> {
  await withdraw(tx, [requestRef(id)]);
  await tellAdmins(tx, { key: `request:${id}`, ...told });
}
