/* members.c: see members.h. */
#include "core/members.h"

#include <assert.h>
#include <string.h>

#include "core/lanes.h"
#include "core/outbox.h"
#include "core/peers.h"

enum { CONFIG_VERSION = 1, CONFIG_HEAD = 4, CONFIG_MEMBER = 18 };
static_assert(TEAK_RAFT_CONFIG_BYTES(3) == CONFIG_HEAD + 3 * CONFIG_MEMBER, "the public macro says the same");

static uint64_t load(const uint8_t *bytes, uint32_t count)
{
    uint64_t value = 0;
    for (uint32_t i = 0; i < count; i++) value |= (uint64_t)bytes[i] << (8 * i);
    return value;
}

static void store_bytes(uint8_t *out, uint64_t value, uint32_t count)
{
    for (uint32_t i = 0; i < count; i++) out[i] = (uint8_t)(value >> (8 * i));
}

bool members_form(const struct teak_raft_member *members, uint32_t count, bool joint, struct config *config_out)
{
    struct config config = {.count = count, .joint = joint};
    if (count == 0 || count > TEAK_RAFT_MEMBERS_MAX) return false;
    for (uint32_t slot = 0; slot < count; slot++) {
        const uint8_t roles = members[slot].roles;
        if (members[slot].id == 0 || (slot > 0 && members[slot - 1].id >= members[slot].id)) return false;
        if (roles == 0 || roles > (TEAK_RAFT_VOTER | TEAK_RAFT_LEARNER)) return false;
        if (!joint && roles != TEAK_RAFT_VOTER && roles != TEAK_RAFT_LEARNER) return false;
        if (roles & TEAK_RAFT_VOTER) config.voters |= UINT32_C(1) << slot;
        if (roles & TEAK_RAFT_VOTER_NEXT) config.next |= UINT32_C(1) << slot;
    }
    if (config.voters == 0 || (joint && config.next == 0)) return false;
    *config_out = config;
    return true;
}

enum teak_raft_status members_wanted(const struct teak_raft_member *members, uint32_t count)
{
    struct config config;
    if (!members || count == 0 || count > TEAK_RAFT_MEMBERS_MAX) return TEAK_RAFT_MISUSE;
    uint32_t voters = 0;
    for (uint32_t slot = 0; slot < count; slot++) voters += members[slot].roles == TEAK_RAFT_VOTER;
    if (members_form(members, count, false, &config)) return TEAK_RAFT_OK;
    if (voters > 0) return TEAK_RAFT_MISUSE;
    struct teak_raft_member copy[TEAK_RAFT_MEMBERS_MAX]; /* is it the voter alone that is missing? */
    memcpy(copy, members, count * sizeof copy[0]);
    if (copy[0].roles == TEAK_RAFT_LEARNER) copy[0].roles = TEAK_RAFT_VOTER;
    return members_form(copy, count, false, &config) ? TEAK_RAFT_NO_VOTERS : TEAK_RAFT_MISUSE;
}

bool members_judge(const uint8_t *data, uint32_t bytes, struct teak_raft_member *members, struct config *config_out)
{
    if (bytes < CONFIG_HEAD || data[0] != CONFIG_VERSION || data[1] > 1) return false;
    const uint32_t count = (uint32_t)load(data + 2, 2);
    if (count > TEAK_RAFT_MEMBERS_MAX || bytes != CONFIG_HEAD + count * CONFIG_MEMBER) return false;
    for (uint32_t slot = 0; slot < count; slot++) {
        const uint8_t *at = data + CONFIG_HEAD + slot * CONFIG_MEMBER;
        members[slot] = (struct teak_raft_member){
            .id = load(at, 8), .born = load(at + 8, 8), .roles = at[16], .priority = at[17]};
    }
    return members_form(members, count, data[1], config_out);
}

uint32_t members_encode(const struct teak_raft_member *members, uint32_t count, bool joint, uint8_t *out)
{
    out[0] = CONFIG_VERSION;
    out[1] = joint;
    store_bytes(out + 2, count, 2);
    for (uint32_t slot = 0; slot < count; slot++) {
        uint8_t *at = out + CONFIG_HEAD + slot * CONFIG_MEMBER;
        store_bytes(at, members[slot].id, 8);
        store_bytes(at + 8, members[slot].born, 8);
        at[16] = members[slot].roles;
        at[17] = members[slot].priority;
    }
    return CONFIG_HEAD + count * CONFIG_MEMBER;
}

bool members_outrank(const struct teak_raft *raft)
{
    const struct teak_raft_member *members = config_members(raft);
    if (raft->config.self == 0) return false;
    const uint8_t mine = members[__builtin_ctz(raft->config.self)].priority;
    for (uint32_t rest = all_voters(raft); rest != 0; rest &= rest - 1)
        if (members[__builtin_ctz(rest)].priority > mine) return true;
    return false;
}

/* Sets of members are kept by slot, and slots follow the configuration. */
static void move_set(uint32_t *set, const uint8_t *from, uint32_t count)
{
    uint32_t out = 0;
    for (uint32_t slot = 0; slot < count; slot++)
        if (from[slot] != NO_SLOT && (*set >> from[slot] & 1)) out |= UINT32_C(1) << slot;
    *set = out;
}

static void move_sets(struct teak_raft *raft, const uint8_t *from, uint32_t count)
{
    uint32_t *const sets[] = {&raft->asking, &raft->granted, &raft->denied, &raft->beating, &raft->heard,
                              &raft->heard_before, &raft->paused, &raft->poked, &raft->full};
    for (uint32_t i = 0; i < sizeof sets / sizeof sets[0]; i++) move_set(sets[i], from, count);
}

/* `config` with `members` is in force: what is known of those who stay moves to their new slots. Windows do not move: a
 * member in another slot is probed, which costs it one round. */
static void install(struct teak_raft *raft, struct config config, const struct teak_raft_member *members)
{
    uint8_t from[TEAK_RAFT_MEMBERS_MAX];
    struct peer kept[TEAK_RAFT_MEMBERS_MAX];
    config.self = 0;
    for (uint32_t slot = 0; slot < config.count; slot++) {
        const uint32_t before = slot_of(raft, members[slot].id);
        from[slot] = (uint8_t)before;
        kept[slot] = before == NO_SLOT ? (struct peer){.next = raft->last.index + 1} : *peer_at(raft, before);
        if (before != slot) peer_probe(&kept[slot], kept[slot].next);
        if (members[slot].id == raft->options.id) config.self = UINT32_C(1) << slot;
    }
    move_sets(raft, from, config.count);
    for (uint32_t slot = 0; slot < config.count; slot++)
        if (from[slot] != slot) raft->paused &= ~(UINT32_C(1) << slot);
    lane_void(raft, LANE_PEER);
    memset(peer_at(raft, 0), 0, raft->members_max * sizeof kept[0]);
    memcpy(peer_at(raft, 0), kept, config.count * sizeof kept[0]);
    memset(config_members(raft), 0, raft->members_max * sizeof members[0]);
    memcpy(config_members(raft), members, config.count * sizeof members[0]);
    raft->config = config;
    outbox_event(raft, TEAK_RAFT_EVENT_CONFIG, config.index, config.count);
}

bool members_adopt(struct teak_raft *raft, const struct teak_raft_entry *entry)
{
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    struct config config;
    const bool is_config = members_judge(entry->data, entry->bytes, members, &config);
    CHECK(is_config); /* judged when it came in */
    if (config.count > raft->members_max) return false;
    config.index = entry->index;
    raft->previous = raft->config;
    memcpy(previous_members(raft), config_members(raft), raft->members_max * sizeof members[0]);
    install(raft, config, members);
    return true;
}

static void forget_previous(struct teak_raft *raft)
{
    raft->previous = (struct config){.index = 0};
    memset(previous_members(raft), 0, raft->members_max * sizeof(struct teak_raft_member));
}

void members_replace(struct teak_raft *raft, struct config config, const struct teak_raft_member *members)
{
    forget_previous(raft);
    install(raft, config, members);
}

/* A leader appends a configuration only when the one before is committed. So a log holds at most one that can be cut
 * off it, and the one before is all that has to be kept. */
void members_roll_back(struct teak_raft *raft, uint64_t from)
{
    if (raft->config.index < from) return;
    CHECK_LT(raft->previous.index, from);
    struct teak_raft_member members[TEAK_RAFT_MEMBERS_MAX];
    memcpy(members, previous_members(raft), raft->members_max * sizeof members[0]);
    install(raft, raft->previous, members);
    forget_previous(raft);
}
