"""What a node of a Redis Cluster does as one act, beside what ``redis_scripts`` has.

A script about a row takes that and the generation of its partition, which are in one slot; one
about an index takes the index alone.
"""

from typing import Final

from sessile.stores.redis_rows import STAMP
from sessile.stores.redis_scripts import GENERATION, Script
from sessile.wire.commands.repeat import Repeat

_HAS_STAMP: Final = f"""
local is_it = redis.pcall('GETRANGE', KEYS[1], -{STAMP}, -1) == ARGV[1]
  and current(redis.pcall('GETRANGE', KEYS[1], 0, #(generation or '') - 1))
"""

# KEYS: row, generation. ARGV: the stamp that it has to have, new row, its milliseconds.
# Returns 1, or 0 where it has another one.
SWAP: Final = Script(
    "redis swap",
    GENERATION
    + _HAS_STAMP
    + """
if not is_it then return 0 end
redis.call('SET', KEYS[1], generation .. ARGV[2], 'PX', ARGV[3])
return 1
""",
)

# KEYS: row, generation. ARGV: the stamp that it has to have. Returns 1, or 0.
REMOVE: Final = Script(
    "redis remove",
    GENERATION
    + _HAS_STAMP
    + """
if not is_it then return 0 end
return redis.call('DEL', KEYS[1])
""",
)

# KEYS: row, generation. ARGV: the byte with which an intent begins, and, if there is something to
# leave in its place, that row and its milliseconds (they make four with the last).
# Returns the row that was removed, or that has an intent and stays. A key of another type is
# removed and returned as an empty row.
TAKE: Final = Script(
    "redis delete",
    GENERATION
    + """
local row = current(redis.pcall('GET', KEYS[1]))
if type(row) == 'table' then
  redis.call('DEL', KEYS[1])
  return ''
end
if not row or string.sub(row, 1, 1) == ARGV[1] then return row end
redis.call('DEL', KEYS[1])  -- first: behind it a full server refuses nothing of this script
if ARGV[4] then redis.call('SET', KEYS[1], generation .. ARGV[2], 'PX', ARGV[3]) end
return row
""",
)

# KEYS: row, generation. ARGV: how many bytes. Returns how the row begins, or nothing; of a key of
# another type an empty text.
START: Final = Script(
    "redis start",
    GENERATION
    + """
local start = current(redis.pcall('GETRANGE', KEYS[1], 0, #(generation or '') + ARGV[1] - 1))
return type(start) == 'table' and '' or start
""",
    repeat=Repeat.HARMLESS,
    is_change=False,
)

_ENTER: Final = """
-- As the latest; the index lives as long as its sessions may. The time makes every score another
-- one, also that of an entry which went and comes again.
local function enter(name, left)
  local last = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2] or 0
  local time = redis.call('TIME')
  local score = math.max(last + 1, time[1] * 1000000 + time[2])
  redis.call('ZADD', KEYS[1], string.format('%.0f', score), name)
  if redis.call('PTTL', KEYS[1]) < tonumber(left) then redis.call('PEXPIRE', KEYS[1], left) end
end
"""

# KEYS: index. ARGV: the session's key, milliseconds of the index, and the score that the latest has
# to have, an empty text where there has to be none, or a star for any.
# Returns how many there are; 0 where the latest has another score.
ENTER: Final = Script(
    "redis enter",
    _ENTER
    + """
local latest = redis.call('ZRANGE', KEYS[1], -1, -1, 'WITHSCORES')[2] or ''
if ARGV[3] ~= '*' and ARGV[3] ~= latest then return 0 end
enter(ARGV[1], ARGV[2])
return redis.call('ZCARD', KEYS[1])
""",
)

# KEYS: index. ARGV: the session's key, milliseconds of the index.
# pcall: an index of another type is an error, which is no reason to lose what else was done.
KEEP: Final = Script(
    "redis keep",
    _ENTER
    + """
if not redis.pcall('ZSCORE', KEYS[1], ARGV[1]) then enter(ARGV[1], ARGV[2]) end
""",
    repeat=Repeat.HARMLESS,
)

# KEYS: index. ARGV: key, score, key, score, ...; an empty score is any.
DROP: Final = Script(
    "redis settle",
    """
for i = 1, #ARGV, 2 do
  local score = redis.pcall('ZSCORE', KEYS[1], ARGV[i])
  if ARGV[i + 1] == '' or score == ARGV[i + 1] then redis.pcall('ZREM', KEYS[1], ARGV[i]) end
end
""",
    repeat=Repeat.HARMLESS,
)

# KEYS: index. ARGV: how many. Returns how many there are, and key, score, ... latest first.
NEWEST: Final = Script(
    "redis newest",
    """
local found = redis.call('ZREVRANGE', KEYS[1], 0, ARGV[1] - 1, 'WITHSCORES')
table.insert(found, 1, redis.call('ZCARD', KEYS[1]))
return found
""",
    repeat=Repeat.HARMLESS,
    is_change=False,
)

# KEYS: index. ARGV: the score to begin at, how many, the key of the session that they came before
# or an empty text. Returns key, score, ... oldest first.
OLDEST: Final = Script(
    "redis owned_by",
    """
local stop = '+inf'
if ARGV[3] ~= '' then
  local score = redis.call('ZSCORE', KEYS[1], ARGV[3])
  if not score then return {} end
  stop = '(' .. score
end
return redis.call(
  'ZRANGE', KEYS[1], ARGV[1], stop, 'BYSCORE', 'LIMIT', 0, ARGV[2], 'WITHSCORES')
""",
    repeat=Repeat.HARMLESS,
    is_change=False,
)

# KEYS: what is there while everybody is being ended. ARGV: a nonce of the end, its milliseconds.
BEGIN_END: Final = Script(
    "redis end everybody",
    """
redis.call('SREM', KEYS[1], ARGV[1])  -- behind it a full server refuses nothing of this script
redis.call('SADD', KEYS[1], ARGV[1])
redis.call('PEXPIRE', KEYS[1], ARGV[2])
""",
)

# KEYS: the same. ARGV: the nonce. Returns 1, or 0 where it is gone, because its time was over.
FINISH_END: Final = Script("redis end everybody", "return redis.call('SREM', KEYS[1], ARGV[1])")
