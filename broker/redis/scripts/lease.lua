#!lua flags=allow-oom
-- Keeps a node's lease and tells which nodes live, by the server's clock. A full
-- memory must not end leases: hence the flag.
--
-- KEYS  1 leases, a sorted set of "id incarnation" by the time of its end in ms
-- ARGV  1 what to do: 'join', 'renew', 'leave' or 'look'   2 id   3 incarnation   4 how long a lease lasts in ms
--
-- Returns what came of it (1 done; 0 there is no lease to renew; less than 0: a
-- live node has this id for so many ms), and "id incarnation" of all that live.

local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)
local what, id, lasts = ARGV[1], ARGV[2], tonumber(ARGV[4])
local member = id .. ' ' .. ARGV[3]
local done = 1

if what == 'join' then
	local live = redis.call('ZRANGE', KEYS[1], now, '+inf', 'BYSCORE', 'WITHSCORES')
	for i = 1, #live, 2 do
		if live[i] ~= member and string.sub(live[i], 1, #id + 1) == id .. ' ' then
			done = now - tonumber(live[i + 1]) - 1
		end
	end
	if done == 1 then
		redis.call('ZADD', KEYS[1], now + lasts, member)
	end
elseif what == 'renew' then
	local ends = redis.call('ZSCORE', KEYS[1], member)
	if ends and tonumber(ends) >= now then
		redis.call('ZADD', KEYS[1], now + lasts, member)
	else
		done = 0
	end
elseif what == 'leave' then
	redis.call('ZREM', KEYS[1], member)
end

if what ~= 'look' then
	redis.call('ZREMRANGEBYSCORE', KEYS[1], '-inf', now - 6 * lasts)
end
local answer = {done}
for _, live in ipairs(redis.call('ZRANGE', KEYS[1], now, '+inf', 'BYSCORE')) do
	table.insert(answer, live)
end
return answer
