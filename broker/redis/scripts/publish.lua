#!lua
-- Records a message: looks for its key, takes the next offset, appends, trims,
-- and publishes the record, all or nothing. The layouts of a head and of a record
-- are described in record.go, that of an order in publish.go.
--
-- KEYS  1 head   2 messages   3 publish key, if it has one
-- ARGV  1 channel   2 order   3 tail of the record
--
-- Returns one byte and the message's place: '+' recorded, '=' recorded earlier
-- under this key, '!' the key was used for other data.
--
-- A server does nothing else while this runs, and writes each change into its file
-- and to its replicas. So what need not be done for each message is done for many:
-- the list is trimmed when it is an eighth too long (read.lua does not show that
-- eighth), and what expires is prolonged once in an eighth of its time.

if KEYS[3] then
	local first = redis.call('GET', KEYS[3])
	if first then
		local place = string.sub(first, 1, 23)
		if string.sub(first, 24) == string.sub(ARGV[2], 31, 46) then
			return '=' .. place
		end
		return '!' .. place
	end
end

-- keep is for how long the head is kept in ms, 0 for ever; an age of 0 removes none.
local tag, epoch, size, age, keep = struct.unpack('>c8c8I3I5I6', ARGV[2])
local time = redis.call('TIME')
local now = time[1] * 1000 + math.floor(time[2] / 1000)

local squeezed, offset, before, at, oldSize, oldAge, oldest = 0, 0, '\0\0\0\0\0\0\0\0', 0, 0, 0, 0
local head = redis.call('GET', KEYS[1])
if head then
	squeezed, epoch, offset, before, at, oldSize, oldAge, oldest = struct.unpack('>Bc8I7c8I6I3I5I6', head)
else
	redis.call('DEL', KEYS[2]) -- of a life of the room that nobody remembers
end
local other = oldSize ~= size or oldAge ~= age -- than the profile of the message before
if other and offset > 0 then
	squeezed = 1
end

local place = struct.pack('>c8I7c8', epoch, offset + 1, tag)
local record = struct.pack('>c1c23c8I6', 'm', place, before, now) .. ARGV[3]

if size > 0 then
	local kept = redis.call('RPUSH', KEYS[2], record)
	if kept == 1 then
		oldest = now
	end
	if kept > size + math.floor(size / 8) then
		redis.call('LTRIM', KEYS[2], -size, -1)
	end
	if kept >= size then
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
		local eighth = math.floor(age / 8) + 1
		if kept == 1 or other or math.floor(now / eighth) ~= math.floor(at / eighth) then
			redis.call('PEXPIRE', KEYS[2], age + eighth)
		end
	elseif oldAge > 0 then
		redis.call('PERSIST', KEYS[2])
	end
elseif oldSize > 0 then
	redis.call('DEL', KEYS[2])
end

head = struct.pack('>Bc23I6I3I5I6', squeezed, place, now, size, age, oldest)
local eighth = math.floor(keep / 8) + 1
if keep == 0 then
	redis.call('SET', KEYS[1], head)
elseif other or at == 0 or math.floor(now / eighth) ~= math.floor(at / eighth) then
	redis.call('SET', KEYS[1], head, 'PX', keep + eighth)
else
	redis.call('SET', KEYS[1], head, 'KEEPTTL')
end
if KEYS[3] then
	local hash, window = struct.unpack('>c16I6', ARGV[2], 31)
	redis.call('SET', KEYS[3], place .. hash, 'PX', window)
end
redis.call('SPUBLISH', ARGV[1], record)
return '+' .. place
