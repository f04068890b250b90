#!lua flags=allow-oom
-- Forgets a room's messages and gives it a new epoch.
--
-- KEYS  1 head   2 messages
-- ARGV  1 channel   2 the head of an empty room   3 how long it is kept in ms   4 what to publish

redis.call('SET', KEYS[1], ARGV[2], 'PX', ARGV[3])
redis.call('DEL', KEYS[2])
redis.call('SPUBLISH', ARGV[1], ARGV[4])
return 1
