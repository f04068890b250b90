#!lua flags=no-writes
-- Reads messages of a room.
--
-- KEYS  1 head   2 messages
-- ARGV  1 smallest offset   2 offset before which to end (0: no end)   3 most messages
--       4 '1': keep the newest when that cuts   5 about how many bytes
--
-- Returns nothing if the room is unknown; else its head, the offset of the oldest
-- message that it keeps (one past the last if it keeps none), 1 if messages of the
-- range were left out, and the messages, oldest first.

local head = redis.call('GET', KEYS[1])
if not head then
	return {}
end
local _, _, top, _, _, size, age, oldest = struct.unpack('>Bc8I7c8I6I3I5I6', head)
local from, before, limit, budget = tonumber(ARGV[1]), tonumber(ARGV[2]), tonumber(ARGV[3]), tonumber(ARGV[5])

local kept = redis.call('LLEN', KEYS[2])
local base = top - kept + 1 -- the offset of the list's first
local first = math.max(base, top - size + 1) -- what is before was left for later by publish.lua
if age > 0 then
	-- Those that are too old and have not been trimmed yet, by halving.
	local time = redis.call('TIME')
	local now = time[1] * 1000 + math.floor(time[2] / 1000)
	local low, high = 0, kept
	if oldest + age > now then
		high = 0 -- there are none
	end
	while low < high do
		local middle = math.floor((low + high) / 2)
		if struct.unpack('>I6', redis.call('LINDEX', KEYS[2], middle), 33) + age <= now then
			low = middle + 1
		else
			high = middle
		end
	end
	first = math.max(first, base + low)
end

local low, high, more = math.max(from, first), top, 0
if before > 0 then
	high = math.min(high, before - 1)
end
if high - low + 1 > limit then
	more = 1
	if ARGV[4] == '1' then
		low = high - limit + 1
	else
		high = low + limit - 1
	end
end

-- A few at a time, so that a room of large messages does not become one answer.
local answer, bytes = {head, first, more}, 0
local few = 16
if ARGV[4] == '1' then
	local parts = {}
	while low <= high and bytes < budget do
		local part = redis.call('LRANGE', KEYS[2], math.max(low, high - few + 1) - base, high - base)
		for _, record in ipairs(part) do
			bytes = bytes + #record
		end
		table.insert(parts, part)
		high = high - few
	end
	for i = #parts, 1, -1 do
		for _, record in ipairs(parts[i]) do
			table.insert(answer, record)
		end
	end
else
	while low <= high and bytes < budget do
		for _, record in ipairs(redis.call('LRANGE', KEYS[2], low - base, math.min(low + few - 1, high) - base)) do
			bytes = bytes + #record
			table.insert(answer, record)
		end
		low = low + few
	end
end
if low <= high then
	answer[3] = 1
end
return answer
