#!lua
-- Records a message: looks for its key, takes the next offset, appends, trims,
-- and publishes the record, all or nothing. The layouts of a head and of a record
-- are described in record.go.
--
-- KEYS  1 head   2 messages   3 publish key, if it has one
-- ARGV  1 channel   2 tag   3 epoch of a room that begins now   4 tail of the record
--       5 size   6 age in ms (0: age removes none)   7 how long the head is kept in ms (0: for ever)
--       8 hash of the data   9 how long the key is remembered in ms
--
-- Returns one byte and the message's place: '+' recorded, '=' recorded earlier
-- under this key, '!' the key was used for other data.

if KEYS[3] then
	local first = redis.call('GET', KEYS[3])
	if first then
		local place = string.sub(first, 1, 23)
		if string.sub(first, 24) == ARGV[8] then
			return '=' .. place
		end
		return '!' .. place
	end
end

local size, age, keep = tonumber(ARGV[5]), tonumber(ARGV[6]), tonumber(ARGV[7])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local squeezed, epoch, offset, before, oldest = 0, ARGV[3], 0, string.rep('\0', 8), 0
local oldSize, oldAge = 0, 0
local head = redis.call('GET', KEYS[1])
if head then
	local at
	squeezed, epoch, offset, before, at, oldSize, oldAge, oldest = struct.unpack('>Bc8I7c8I6I3I5I6', head)
	if offset > 0 and (oldSize ~= size or oldAge ~= age) then
		squeezed = 1
	end
else
	redis.call('DEL', KEYS[2]) -- of a life of the room that nobody remembers
end

local place = struct.pack('>c8I7c8', epoch, offset + 1, ARGV[2])
local record = 'm' .. place .. struct.pack('>c8I6', before, now) .. ARGV[4]

if size > 0 then
	local kept = redis.call('RPUSH', KEYS[2], record)
	if kept == 1 then
		oldest = now
	end
	if kept > size then
		redis.call('LTRIM', KEYS[2], -size, -1)
		kept = size
	end
	if kept == size then
		squeezed = 0 -- whatever is missing is older than what age will take next
	end
	if age > 0 then
		-- oldest may be too early, so that the list is looked at once per age and not
		-- at every publish. Some are left for the next publish: a script is to be short.
		local left = 1000
		while oldest + age <= now and left > 0 do
			oldest = struct.unpack('>I6', redis.call('LINDEX', KEYS[2], 0), 33)
			if oldest + age <= now then
				redis.call('LPOP', KEYS[2])
			end
			left = left - 1
		end
		redis.call('PEXPIRE', KEYS[2], age)
	elseif oldAge > 0 then
		redis.call('PERSIST', KEYS[2])
	end
elseif oldSize > 0 then
	redis.call('DEL', KEYS[2])
end

head = struct.pack('>B', squeezed) .. place .. struct.pack('>I6I3I5I6', now, size, age, oldest)
if keep > 0 then
	redis.call('SET', KEYS[1], head, 'PX', keep)
else
	redis.call('SET', KEYS[1], head)
end
if KEYS[3] then
	redis.call('SET', KEYS[3], place .. ARGV[8], 'PX', ARGV[9])
end
redis.call('SPUBLISH', ARGV[1], record)
return '+' .. place
