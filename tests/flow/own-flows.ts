/** Flows of the tests' own: one with most kinds of question, one with a secret, and a menu of both. */
export const refund = `
flow: refund
start: { words: { en: [refund], sw: [rudisha] }, menu: { en: Request refund, sw: Omba refund } }
needs: [customer]
steps:
  find: { do: orders.list, as: orders, else: { none: nothing, down: $down } }
  order:
    ask: { en: Which order?, sw: Oda gani? }
    pick: { from: orders, label: "{ref} {total|money}", value: id }
  reason:
    ask: { en: What went wrong?, sw: Tatizo ni nini? }
    pick:
      late: { en: Came late, sw: Ilichelewa }
      other: { en: Other, sw: Sababu nyingine, to: explain }
    to: amount
  explain:
    ask: { en: Say it in a few words., sw: Eleza kwa ufupi. }
    type: text
    max: 20
    free: true
    optional: true
  amount:
    ask: { en: "How much? Up to {order.total|money}", sw: "Kiasi gani? Hadi {order.total|money}" }
    type: money
    min: 10
    max: order.total
    error: { en: "Enter KES 10 to {order.total|money}.", sw: "Weka KES 10 hadi {order.total|money}." }
  chat_only:
    on: [whatsapp]
    say: { en: Almost done., sw: Tunakaribia kumaliza. }
  confirm:
    ask: { en: "Refund {amount|money} for {order.ref}?", sw: "Urudishiwe {amount|money} ya {order.ref}?" }
    pick: { yes: { en: Yes, sw: Ndiyo }, no: { en: No, sw: Hapana, to: kept } }
  send:
    do: orders.refund
    with: { order: order.id, amount: amount, reason: explain? }
    as: sent
    else: { over_limit: amount, down: $down }
  done: { end: { en: "Ref {sent.ref}.", sw: "Nambari {sent.ref}." } }
  nothing: { end: { en: No orders., sw: Huna oda. } }
  kept: { end: { en: Not sent., sw: Haijatumwa. } }
`;

export const approve = `
flow: approve
start: { words: { en: [approve], sw: [idhinisha] }, menu: { en: Approve, sw: Idhinisha } }
steps:
  code:
    ask: { en: Enter the code., sw: Weka code. }
    type: code
    tries: 2
    else: { tries: locked }
  decide:
    do: orders.approve
    with: { code: code }
    as: decision
    else: { wrong_code: code, down: $down }
  done: { end: { en: "Approved {decision.ref}.", sw: "Imeidhinishwa {decision.ref}." } }
  locked: { end: { en: Locked., sw: Imefungwa. } }
`;

export const menu = `
flow: menu
steps:
  choose: { ask: { en: Menu?, sw: Menyu? }, pick: { menu: [refund, approve] } }
`;
