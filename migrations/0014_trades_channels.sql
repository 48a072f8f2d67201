-- Which trade a message is of, where it is of one: a trade may be kept off a channel.
alter table outbox add column trade text;
