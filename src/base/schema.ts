import type { Generated, GeneratedAlways, JSONColumnType } from 'kysely';

// The tables as the migrations make them; tests/base/schema.test.ts holds these types against them.

type At = Generated<Date>;
type Json = JSONColumnType<Record<string, unknown>>;

export type InvoiceState = 'UNPAID' | 'PARTIALLY_PAID' | 'PAID' | 'VOID';

export interface Schema {
  accounts: {
    id: GeneratedAlways<bigint>;
    code: string;
    type: GeneratedAlways<'asset' | 'liability' | 'equity' | 'income' | 'expense'>;
    currency: Generated<string>;
    owner_kind: string | null;
    owner_id: bigint | null;
    opened_at: At;
    closed_at: Date | null;
  };
  account_balances: {
    account_id: bigint;
    balance_cents: Generated<bigint>;
    floor_cents: bigint | null;
  };
  ledger_transactions: {
    id: GeneratedAlways<bigint>;
    key: string;
    kind: string;
    effective_at: Date;
    recorded_at: At;
    xid: Generated<string>;
    reverses_id: bigint | null;
    content_hash: Buffer;
  };
  postings: {
    ledger_transaction_id: bigint;
    line: number;
    debit_account_id: bigint;
    credit_account_id: bigint;
    amount_cents: bigint;
  };
  people: {
    id: GeneratedAlways<bigint>;
    name: string | null;
    language: Generated<'en' | 'sw'>;
    created_at: At;
    stopped_at: Date | null;
    merged_into: bigint | null;
  };
  addresses: {
    id: GeneratedAlways<bigint>;
    person_id: bigint;
    kind: 'msisdn' | 'whatsapp';
    value: string;
    msisdn_hash: GeneratedAlways<string | null>;
    verified_at: Date | null;
    created_at: At;
    heard_at: Date | null;
    lid: string | null;
    linked_chat: string | null;
    heard_by: 'cloud' | 'linked' | null;
  };
  linked_device: {
    one: Generated<boolean>;
    fence: Generated<bigint>;
    state: Generated<LinkedState>;
    why: string | null;
    credentials: Buffer | null;
    offer: Buffer | null;
    wanted_at: Date | null;
    by_code: Generated<boolean>;
    changed_at: At;
  };
  linked_keys: { type: string; id: string; value: Buffer };
  roles: {
    person_id: bigint;
    role: Role;
    granted_at: At;
    by_configuration: Generated<boolean>;
  };
  one_time_codes: {
    person_id: bigint;
    offered: Generated<number>;
    generation: number | null;
    confirmed_at: Date | null;
    last_step: Generated<bigint>;
    wrong: Generated<number>;
    locked_until: Date | null;
  };
  people_requests: {
    id: GeneratedAlways<bigint>;
    kind: PeopleRequestKind;
    person_id: bigint;
    role: StaffRole | null;
    msisdn: string | null;
    old_msisdn: string | null;
    name: string | null;
    other_id: bigint | null;
    asked_by: bigint;
    asked_at: At;
    expires_at: At;
    state: Generated<'waiting' | 'approved' | 'refused' | 'expired'>;
    decided_by: bigint | null;
    decided_at: Date | null;
    reason: string | null;
  };
  link_proofs: {
    id: GeneratedAlways<bigint>;
    person_id: bigint;
    msisdn: string | null;
    way: 'sms' | 'dial' | 'change';
    asked: string | null;
    tries: Generated<number>;
    created_at: At;
    expires_at: Date;
    ended_at: Date | null;
  };
  inbox: {
    id: GeneratedAlways<bigint>;
    source: string;
    subject: string | null;
    body: string;
    body_hash: Buffer;
    from_ip: string | null;
    received_at: At;
    state: Generated<'new' | 'done' | 'failed'>;
    attempts: Generated<number>;
    due_at: At;
    error: string | null;
    done_at: Date | null;
  };
  inbox_rejected: {
    id: GeneratedAlways<bigint>;
    source: string;
    reason: string;
    head: Buffer;
    length_bytes: bigint;
    body_hash: Buffer;
    from_ip: string | null;
    received_at: At;
  };
  outbox: {
    id: GeneratedAlways<bigint>;
    key: string;
    person_id: bigint;
    template: string | null;
    trade: string | null;
    values: Json;
    words: string | null;
    state: Generated<'waiting' | 'sending' | 'sent' | 'failed' | 'unknown'>;
    attempts: Generated<number>;
    doubts: Generated<number>;
    due_at: At;
    lease_until: Date | null;
    provider_id: string | null;
    error: string | null;
    created_at: At;
    sent_at: Date | null;
    channel: 'whatsapp' | 'sms' | null;
    sent_by: 'whatsapp' | 'sms' | null;
    delivered_at: Date | null;
    copied_at: Date | null;
    choices: JSONColumnType<Record<string, unknown>> | null;
    question: string | null;
    paper: JSONColumnType<Record<string, unknown>> | null;
    to_msisdn: string | null;
  };
  customers: {
    id: GeneratedAlways<bigint>;
    number: string;
    name: string;
    person_id: bigint | null;
    created_at: At;
    added_by: bigint | null;
  };
  counters: {
    name: string;
    last: bigint;
  };
  invoices: {
    id: GeneratedAlways<bigint>;
    number: string;
    customer_id: bigint;
    total_cents: bigint;
    outstanding_cents: bigint;
    issued_on: string;
    due_on: string;
    state: GeneratedAlways<InvoiceState>;
    created_at: At;
    description: Generated<string>;
    issued_by: bigint | null;
    issued_key: string | null;
    voided_at: Date | null;
    voided_by: bigint | null;
    void_reason: string | null;
  };
  credit_allocations: {
    id: GeneratedAlways<bigint>;
    customer_id: bigint;
    due_kind: string;
    due_id: bigint;
    due_reference: string;
    amount_cents: bigint;
    created_at: At;
    reversed_at: Date | null;
    reversed_by: bigint | null;
    reversed_for: string | null;
  };
  invoice_reminders: {
    invoice_id: bigint;
    kind: 'before' | 'today' | 'after' | 'again';
    at: Date;
  };
  payments: {
    id: GeneratedAlways<bigint>;
    shortcode: string;
    receipt: string;
    amount_cents: bigint;
    allocated_cents: Generated<bigint>;
    paid_at: Date;
    account_typed: Generated<string>;
    payer_msisdn: string | null;
    payer_hash: string | null;
    payer_masked: string | null;
    payer_name: string | null;
    state: GeneratedAlways<'matched' | 'unmatched' | 'reversed'>;
    rule: Generated<MatchRule>;
    also_possible: JSONColumnType<string[]>;
    flag: string | null;
    told: 'alone' | 'digest' | null;
    verified_at: Date | null;
    verified_by: string | null;
    status_asked_at: Date | null;
    refund_marked_at: Date | null;
    refund_marked_by: bigint | null;
    reversed_at: Date | null;
    reversal_receipt: string | null;
    created_at: At;
  };
  hearings: {
    inbox_id: bigint;
    payment_id: bigint;
    source: string;
    shortcode: string;
    amount_cents: bigint;
    verdict: 'first' | 'repeat' | 'conflict';
    heard_at: At;
  };
  allocations: {
    id: GeneratedAlways<bigint>;
    payment_id: bigint;
    due_kind: string;
    due_id: bigint;
    due_reference: string;
    amount_cents: bigint;
    created_at: At;
    reversed_at: Date | null;
    reversed_by: bigint | null;
    reversed_for: string | null;
    decided_by: bigint | null;
  };
  prompts: {
    id: GeneratedAlways<bigint>;
    reference: string;
    token: string;
    person_id: bigint;
    msisdn: string;
    shortcode: string;
    due_kind: string;
    due_id: bigint;
    due_reference: string;
    amount_cents: bigint;
    asked_by: bigint;
    asked_key: string;
    state: Generated<PromptState>;
    attempts: Generated<number>;
    look_at: Generated<Date | null>;
    lease_until: Date | null;
    looks: Generated<number>;
    checkout_id: string | null;
    result_code: string | null;
    payment_id: bigint | null;
    created_at: At;
    sent_at: Date | null;
    ended_at: Date | null;
  };
  pulls: {
    shortcode: string;
    due_at: At;
    wanted_from: Date | null;
    complete_to: Date | null;
    lease_until: Date | null;
    fence: Generated<bigint>;
    failures: Generated<number>;
    error: string | null;
    nairobi_times: Generated<boolean>;
  };
  status_questions: {
    id: GeneratedAlways<bigint>;
    payment_id: bigint;
    shortcode: string;
    n: number;
    token: string;
    ask_at: At;
    asked_at: Date | null;
    asked_as: string | null;
    error: string | null;
    answered_at: Date | null;
    result_code: string | null;
    verdict: StatusVerdict | null;
  };
  statement_imports: {
    id: GeneratedAlways<bigint>;
    file_hash: Buffer;
    shortcode: string;
    account: string;
    started_at: At;
    ended_at: Date | null;
    covers_from: Date | null;
    covers_to: Date | null;
    lines: number | null;
    bad_lines: number | null;
    gaps: number | null;
  };
  statement_lines: {
    inbox_id: bigint;
    import_id: bigint;
    shortcode: string;
    account: string;
    receipt: string;
    kind: string;
    amount_cents: bigint;
    balance_cents: bigint | null;
    completed_at: Date;
    outcome: Generated<string>;
    payment_id: bigint | null;
    reversed_receipt: string | null;
  };
  api_tokens: {
    id: GeneratedAlways<bigint>;
    hash: Buffer;
    name: string;
    person_id: bigint;
    scopes: string[];
    created_at: At;
    used_at: Date | null;
    revoked_at: Date | null;
  };
  api_requests: {
    token_id: bigint;
    key: string;
    operation: string;
    body: Json;
    status: number;
    answer: string;
    content_type: string;
    location: string | null;
    created_at: At;
  };
  rates: {
    who: string;
    left_milli: number;
    refusals: Generated<number>;
    at: At;
  };
  daraja_tokens: {
    app: string;
    token: Buffer | null;
    good_until: Date | null;
    asked_until: Date | null;
  };
  sessions: {
    person_id: bigint;
    channel: 'whatsapp' | 'ussd' | 'sms';
    body: Json;
    awaits_secret: Generated<boolean>;
    takes_digits: Generated<boolean>;
    updated_at: At;
  };
  step_events: {
    flow: string;
    step: string;
    channel: string;
    language: string;
    what: string;
  };
  step_counts: {
    flow: string;
    step: string;
    channel: string;
    language: string;
    what: string;
    times: bigint;
  };
  flow_contents: {
    hash: string;
    flow: string;
    content: string;
    since: At;
  };
  book_checks: {
    hour: Date;
    started_at: At;
    took_ms: number | null;
    findings: number | null;
    named: JSONColumnType<BookFinding[]>;
  };
  turns: { key: string; person_id: bigint; inbox_id: bigint; at: At; silent: Generated<boolean> };
  questions: {
    ref: string;
    person_id: bigint;
    flow: string;
    strict: Generated<boolean>;
    awaits_secret: Generated<boolean>;
    takes_digits: Generated<boolean>;
    talked_at: Date | null;
    body: Json | null;
    due_at: At;
    asked_at: Date | null;
    ended_at: Date | null;
  };
  handoffs: {
    person_id: bigint;
    since: At;
    until: Date;
    given_back_at: Date | null;
    channel: 'whatsapp' | 'sms' | null;
    passed_on: Generated<number>;
    wanted_at: Date | null;
    by_phone: Generated<boolean>;
  };
  ussd_sessions: {
    gateway_id: string;
    person_id: bigint;
    turn: Generated<number>;
    text_length: Generated<number>;
    text_hash: Generated<string>;
    reply: string;
    over: boolean;
    updated_at: At;
  };
}

/**
 * How the linked number stands: `unlinked` and `stopped` wait for a person; `resting` tries again
 * by itself.
 */
export type LinkedState = 'unlinked' | 'linking' | 'connecting' | 'open' | 'resting' | 'stopped';

/** What should hold, and where it does not, in ids and keys. */
export type BookFinding = { check: string; found: string };

/** The roles of those who work here: given and taken by two admins. */
export const staff_roles = ['admin', 'officer', 'cashier'] as const;

export type StaffRole = (typeof staff_roles)[number];

export type Role = StaffRole | 'owner' | 'tenant' | 'borrower' | 'customer' | 'bettor';

/** What two admins do: a role given or taken, two persons made one, a number changed. */
export type PeopleRequestKind = 'grant' | 'revoke' | 'merge' | 'number';

/** How a payment found what it pays for; see payments/match.ts. */
export type MatchRule =
  | 'prompt'
  | 'reference'
  | 'customer'
  | 'single'
  | 'amount'
  | 'oldest'
  | 'person'
  | 'unmatched';

/** What M-Pesa's answer about a payment means for it; see payments/status-results.ts. */
export type StatusVerdict = 'verified' | 'contradicted' | 'reversed' | 'refused' | 'unclear';

/** How far a prompt has come; see migrations/0015_prompts.sql. */
export type PromptState =
  | 'waiting'
  | 'sending'
  | 'sent'
  | 'unknown'
  | 'confirmed'
  | 'paid'
  | 'failed';
