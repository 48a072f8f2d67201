-- What an arrival is about, as far as its order matters: the receipt of a payment, the person who wrote.
-- Of those about the same, the one that came first is worked through first, whatever several workers do
-- and whichever of them dies: a callback that contradicts an earlier one never takes its place.
alter table inbox add column subject text;
create index inbox_subject on inbox (source, subject, id) where state = 'new';
