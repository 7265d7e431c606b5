"""What a Redis server does to a page of records, bounded in number and in bytes.

``stores.redis`` runs these scripts; ``stores.redis_scripts`` has those about one, and says what a
row and a generation are.
"""

from typing import Final

from sessile.stores.redis_scripts import GENERATION, HEADS, IN_TIME, Script
from sessile.wire.commands.repeat import Repeat

# KEYS: index, generation. ARGV: prefix, the score to begin at, how many, how many bytes.
# Returns the last score, or an empty text at the end, and key, row, key, row, ... in the order of
# the logins; ghosts go. A key of another type has an error for its row.
OWNED: Final = Script(
    "redis owned_by",
    GENERATION
    + """
local names = redis.call(
  'ZRANGE', KEYS[1], ARGV[2], '+inf', 'BYSCORE', 'LIMIT', 0, ARGV[3], 'WITHSCORES')
local found, size = {''}, 0
if #names == 2 * tonumber(ARGV[3]) then found[1] = names[#names] end
for i = 1, #names, 2 do
  local row = current(redis.pcall('GET', ARGV[1] .. names[i]))
  if row then
    found[#found + 1] = names[i]
    found[#found + 1] = row
    size = size + #row
    if size >= tonumber(ARGV[4]) then
      found[1] = names[i + 1]
      break
    end
  else
    redis.call('ZREM', KEYS[1], names[i])
  end
end
return found
""",
    repeat=Repeat.HARMLESS,
    is_change=False,
)

# KEYS: generation twice, rows. ARGV: how many bytes.
# Returns the generation that stands there, or an empty text; then a row, or nothing, for each key,
# and none for the keys behind the one that brings the bytes.
ROWS: Final = Script(
    "redis rows",
    GENERATION
    + """
local found, size = {stored or ''}, 0
for i = 3, #KEYS do
  local row = current(redis.pcall('GET', KEYS[i]))
  if type(row) ~= 'string' then row = false end  -- a key of another type is none of ours
  found[i - 1] = row
  size = size + #(row or '')
  if size >= tonumber(ARGV[1]) then break end
end
return found
""",
    repeat=Repeat.HARMLESS,
    is_change=False,
)

# KEYS: index, generation. ARGV: prefix, how many, how many bytes, the key of the session that they
# came before or an empty text, the keys of those that stay.
# Returns 1 where there may be more, else 0; then the keys of the sessions that were removed. What
# an end has left, with a version below 1, loses its entry alone.
DELETE_OWNED: Final = Script(
    "redis delete_owned",
    IN_TIME
    + GENERATION
    + HEADS
    + """
local index, prefix, batch, bytes = KEYS[1], ARGV[1], tonumber(ARGV[2]), tonumber(ARGV[3])
local stop, keep = '+inf', {}
if ARGV[4] ~= '' then
  local score = redis.call('ZSCORE', index, ARGV[4])
  if not score then return {0} end
  stop = '(' .. score
end
for i = 5, #ARGV - 2 do keep[ARGV[i]] = true end

local names = redis.call(
  'ZRANGE', index, '-inf', stop, 'BYSCORE', 'LIMIT', 0, batch + #ARGV - 6)
local answer, seen, size = {0}, 0, 0
for _, name in ipairs(names) do
  if not keep[name] then
    local row = prefix .. name
    local head = generation and head_of(row)
    redis.call('ZREM', index, name)
    if head then
      local length = redis.pcall('STRLEN', row)
      size = size + (type(length) == 'number' and length or 0)
      local version = times(head, name)
      if not version or version > 0 then redis.call('UNLINK', row) end
      if version and version > 0 then answer[#answer + 1] = name end
    end
    seen = seen + 1
    if seen == batch or size >= bytes then
      answer[1] = 1
      break
    end
  end
end
return answer
""",
)
