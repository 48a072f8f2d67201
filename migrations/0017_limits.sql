-- What one payer has paid on a day is summed where a limit is kept.
create index payments_payer on payments (coalesce(payer_msisdn, payer_hash), paid_at)
  where payer_msisdn is not null or payer_hash is not null;
