-- When somebody last talked about a question: what they write soon after, without a word of which, is for it.
alter table questions add column talked_at timestamptz;
