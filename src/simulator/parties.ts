/** Who there is at this M-Pesa: the shortcodes, and the names behind the demo's phones. */

export interface Shortcode {
  kind: 'paybill' | 'till' | 'b2c';
  /** Its accounts at M-Pesa; what customers pay lands in the first. */
  accounts: readonly ['Utility' | 'Merchant', 'Working'];
}

export const shortcodes: ReadonlyMap<string, Shortcode> = new Map([
  ['600000', { kind: 'paybill', accounts: ['Utility', 'Working'] }],
  ['600001', { kind: 'till', accounts: ['Merchant', 'Working'] }],
  ['600002', { kind: 'b2c', accounts: ['Utility', 'Working'] }],
  ['600100', { kind: 'paybill', accounts: ['Utility', 'Working'] }],
]);

/** The names that M-Pesa and WhatsApp know; other phones have none. */
export const names: ReadonlyMap<string, string> = new Map([
  ['254700000001', 'Wanjiru'],
  ['254700000002', 'Otieno'],
  ['254700000003', 'Achieng'],
  ['254700000004', 'Kamau'],
  ['254700000005', 'Mwangi'],
  ['254700000006', 'Nekesa'],
  ['254700000007', 'Baraka'],
  ['254700000008', 'Zawadi'],
]);

/** What a phone holds when M-Pesa first hears of it: KES 100,000. */
export const first_balance_cents = 10_000_000n;
