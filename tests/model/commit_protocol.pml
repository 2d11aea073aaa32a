/* commit_protocol.pml: commit, rotate, recycle, truncate, recover, and every moment at which the power may go.
 *
 * One store on one disk. What lies on the medium is frames, each written once as a head and a body, identity blocks and
 * names; what the cache holds of them a cut may keep or lose piece by piece, names up to any point of their order.
 * A frame is an index into a table of all that was ever written; two writes of the same content are one frame, as two
 * equal byte strings have one checksum. README.md beside this file says which function of the engine each step is.
 *
 * Sizes (-D): FILES, SLOTS of a segment (the first is its checkpoint), LSNS, CRASHES, CLOSES, FLY (frames not durable
 * yet), INDEXES of the log. OP_*: which operations there are. ROT: one piece of the medium rots, at any time.
 * FULL: there may be no space for a fresh segment behind a cut.
 * BUG_*: the right model with one thing wrong. KILLS: a crash may also leave the cache as it is.
 */
#ifndef FILES
#define FILES 3
#endif
#ifndef SLOTS
#define SLOTS 2
#endif
#ifndef LSNS
#define LSNS 8
#endif
#ifndef CRASHES
#define CRASHES 2
#endif
#ifndef CLOSES
#define CLOSES 0
#endif
#ifndef FLY
#define FLY 2
#endif
#ifndef INDEXES
#define INDEXES 3
#endif
#define FRAMES 24
#define PENDING_NAMES 3
#define NONE 15
#define CLEARED (FRAMES - 1) /* zeros where a frame was: no frame of any salt */

#define CHECKPOINT 1 /* arg: the oldest segment kept              */
#define APPEND     2 /* arg: index                                */
#define TRUNCATE   3 /* arg: the first index that goes            */
#define HARD       4 /* arg: the new hard state, always growing   */
#define COMPACT    5 /* arg: the last index that goes             */
#define FORGET     6 /* arg: the oldest segment kept              */
#define MARK       7 /* clean                                     */

#define AT(file, slot) ((file) * SLOTS + (slot))

/* ---- every frame that was ever written ---- */
byte frames = 0;
byte f_salt[FRAMES], f_segment[FRAMES], f_slot[FRAMES], f_lsn[FRAMES], f_durable[FRAMES], f_before[FRAMES];
byte f_op[FRAMES], f_arg[FRAMES];
byte f_known[FRAMES]; /* what was durable when it was built, whatever its head says: for the property alone */

/* ---- the medium: what is durable, and what the cache says (0: the same) ---- */
byte head[FILES * SLOTS], body[FILES * SLOTS], cached[FILES * SLOTS];
byte id_number[FILES], id_salt[FILES], cached_number[FILES], cached_salt[FILES];
byte durable_name[FILES], name[FILES]; /* number of a segment; 0: a spare */
byte renamed[PENDING_NAMES], renamed_to[PENDING_NAMES], renamings = 0;
byte salts = 0;                        /* drawn so far */

/* ---- what the store has in memory ---- */
mtype = { RUNNING, RECOVERING, DISCARDING, PREPARING, BEGINNING, CLEARING, OVER };
mtype phase = RUNNING;
byte next_lsn = 1, durable_lsn = 0;
byte current = 0, newest = 1, slot = 0, before = 0;
byte oldest = 1, forget_lsn = 0, forget_upto = 0;
byte state_of[LSNS + 2];  /* of a frame: 0 none, 1 flying, 2 landed, 3 being synced, 4 safe */
byte file_of[LSNS + 2];
byte syncing = NONE;      /* the file */
byte alone = 0;           /* its LSN must be durable before another is launched */
byte ready = NONE, job = NONE, step = 0;
byte behind_cut = 0;
bool goes_on = false;

/* ---- what the world was told ---- */
byte history[LSNS + 2];   /* frame of each LSN, as it was submitted last */
byte told = 0;            /* every frame up to it was acknowledged, or shown by an opening */
byte crashes = 0, closes = 0;
bool rotten = false;

/* ---- what a choice hangs on: 0 between two steps ---- */
byte n, kept, log_hard, log_base, log_last;

/* ---- scratch within a step that has no choice: no part of any state ---- */
hidden byte i, k, f, id, lo, top, cur, at, limit, next_file, end_of, vouched, later, clean, refused, live;
hidden byte r_hard, r_base, r_last, q_hard, q_base, q_last, first_lsn, last_frame, found_oldest, choice, next_seen;
hidden byte r_entry[INDEXES + 2], q_entry[INDEXES + 2];

/* ------------------------------------------------------------------------------------------------------ the log */

inline apply(frame_) /* replay_op() */
{
    if
    :: f_op[frame_] == APPEND -> r_last = f_arg[frame_]; r_entry[r_last] = frame_;
    :: f_op[frame_] == TRUNCATE -> r_last = f_arg[frame_] - 1;
    :: f_op[frame_] == HARD -> r_hard = f_arg[frame_];
    :: f_op[frame_] == COMPACT -> r_base = f_arg[frame_];
    :: else -> skip;
    fi
}

inline state_after(lsn_) /* what the log is once history[1..lsn_] has happened */
{
    r_hard = 0; r_base = 0; r_last = 0; i = 0;
    do :: i <= INDEXES -> r_entry[i] = 0; i++; :: else -> break; od;
    k = 1;
    do :: k <= lsn_ -> apply(history[k]); k++; :: else -> break; od;
}

/* ------------------------------------------------------------------------------------------------------- writing */

/* finish_frame(), launch_frame(): the next frame, into the current segment's next slot. */
inline write_frame(op_, arg_)
{
    d_step {
        frames++;
        assert(frames < CLEARED && next_lsn <= LSNS + 1);
        f_salt[frames] = (cached_number[current] -> cached_salt[current] : id_salt[current]);
        f_segment[frames] = newest; f_slot[frames] = slot; f_lsn[frames] = next_lsn; f_before[frames] = before;
#if defined(BUG_NO_DURABLE_LSN)
        f_durable[frames] = 0;
#elif defined(BUG_VOUCHES_FOR_FLYING)
        f_durable[frames] = next_lsn - 1;
#else
        f_durable[frames] = durable_lsn;
#endif
        f_op[frames] = op_; f_arg[frames] = arg_;
        id = 1;
        do
        :: id < frames && f_salt[id] == f_salt[frames] && f_segment[id] == newest && f_slot[id] == slot &&
           f_lsn[id] == next_lsn && f_before[id] == before && f_durable[id] == f_durable[frames] &&
           f_op[id] == f_op[frames] && f_arg[id] == f_arg[frames] ->
            f_salt[frames] = 0; f_segment[frames] = 0; f_slot[frames] = 0; f_lsn[frames] = 0; f_before[frames] = 0;
            f_durable[frames] = 0; f_op[frames] = 0; f_arg[frames] = 0;
            frames--; break;
        :: id == frames -> break;
        :: else -> id++;
        od;
        f_known[id] = durable_lsn;
        cached[AT(current, slot)] = id;
        history[next_lsn] = id; state_of[next_lsn] = 1; file_of[next_lsn] = current;
        before = id; slot++; next_lsn++;
    }
}

#define MAY_LAUNCH (next_lsn - 1 - durable_lsn < FLY && next_lsn <= LSNS && !(alone > durable_lsn && next_lsn > alone))

/* flight_advance() */
inline advance()
{
    do
    :: durable_lsn + 1 < next_lsn && state_of[durable_lsn + 1] == 4 ->
        durable_lsn++; state_of[durable_lsn] = 0; file_of[durable_lsn] = 0;
    :: else -> break;
    od;
    if :: durable_lsn > told -> told = durable_lsn; :: else -> skip; fi;
    if :: alone <= durable_lsn -> alone = 0; :: else -> skip; fi;
}

inline settle(place_) /* what the cache has of a place is on the medium */
{
    if
    :: cached[place_] -> head[place_] = cached[place_]; body[place_] = cached[place_]; cached[place_] = 0;
    :: else -> skip;
    fi
}

inline settle_identity(file_)
{
    if
    :: cached_number[file_] ->
        id_number[file_] = cached_number[file_]; id_salt[file_] = cached_salt[file_];
        cached_number[file_] = 0; cached_salt[file_] = 0;
    :: else -> skip;
    fi
}

inline settle_names()
{
    i = 0;
    do
    :: i < renamings -> durable_name[renamed[i]] = renamed_to[i]; renamed[i] = 0; renamed_to[i] = 0; i++;
    :: else -> break;
    od;
    renamings = 0;
}

inline rename_to(file_, number_)
{
    name[file_] = number_;
    assert(renamings < PENDING_NAMES);
    renamed[renamings] = file_; renamed_to[renamings] = number_; renamings++;
}

/* is_dead(), plan() */
inline plan_forget()
{
    state_after(next_lsn - 1);
    kept = oldest; live = 0;
    do
    :: kept + 1 < newest && !live ->
        i = r_base + 1;
        do
        :: i <= r_last -> if :: f_segment[r_entry[i]] == kept -> live = 1; :: else -> skip; fi; i++;
        :: else -> break;
        od;
#ifdef BUG_FORGETS_WHAT_LIVES
        live = 0;
#endif
        if :: !live -> kept++; :: else -> skip; fi;
    :: else -> break;
    od;
}

/* ------------------------------------------------------------------------------------------------------- crashing */

inline forget_memory()
{
    i = 0;
    do :: i <= LSNS + 1 -> state_of[i] = 0; file_of[i] = 0; i++; :: else -> break; od;
    syncing = NONE; ready = NONE; job = NONE; step = 0; alone = 0; forget_lsn = 0; forget_upto = 0; behind_cut = 0;
    goes_on = false; current = 0; newest = 0; slot = 0; before = 0; oldest = 0; next_lsn = 1; durable_lsn = 0;
}

/* Piece by piece the cache is kept or lost; names up to any point of their order. */
inline cut_power()
{
    n = 0;
    do
    :: n < FILES * SLOTS ->
        if
        :: cached[n] ->
            if :: head[n] = cached[n]; :: skip; fi;
            if :: body[n] = cached[n]; :: skip; fi;
            cached[n] = 0;
        :: else -> skip;
        fi;
        n++;
    :: else -> break;
    od;
    n = 0;
    do
    :: n < FILES ->
        if
        :: cached_number[n] ->
            if :: id_number[n] = cached_number[n]; id_salt[n] = cached_salt[n]; :: skip; fi;
            cached_number[n] = 0; cached_salt[n] = 0;
        :: else -> skip;
        fi;
        n++;
    :: else -> break;
    od;
    n = 0;
    do
    :: n < renamings -> durable_name[renamed[n]] = renamed_to[n]; n++;
    :: n <= renamings -> break;
    od;
    n = 0;
    do :: n < PENDING_NAMES -> renamed[n] = 0; renamed_to[n] = 0; n++; :: else -> break; od;
    renamings = 0;
    n = 0;
    do :: n < FILES -> name[n] = durable_name[n]; n++; :: else -> break; od;
    n = 0;
}

/* ------------------------------------------------------------------------------------------------------ recovering */

#define NOW_HEAD(place) (cached[place] -> cached[place] : head[place])
#define NOW_BODY(place) (cached[place] -> cached[place] : body[place])
#define NOW_NUMBER(file) (cached_number[file] -> cached_number[file] : id_number[file])
#define NOW_SALT(file) (cached_number[file] -> cached_salt[file] : id_salt[file])

inline find_file(number_, out_) /* NONE: there is no such segment */
{
    out_ = NONE; f = 0;
    do :: f < FILES -> if :: number_ && name[f] == number_ -> out_ = f; :: else -> skip; fi; f++; :: else -> break; od;
}

/* image_head(), image_frame(): id, or 0 */
inline valid_head(file_, slot_, number_)
{
    id = NOW_HEAD(AT(file_, slot_));
    if :: id && (f_segment[id] != number_ || f_salt[id] != NOW_SALT(file_)) -> id = 0; :: else -> skip; fi;
}
#ifdef BUG_TORN_FRAMES_PASS
#define IS_TORN(place) false
#else
#define IS_TORN(place) (NOW_BODY(place) != NOW_HEAD(place))
#endif
inline valid_frame(file_, slot_, number_)
{
    valid_head(file_, slot_, number_);
    if :: id && IS_TORN(AT(file_, slot_)) -> id = 0; :: else -> skip; fi;
}

/* note_frame(): and, for the model, is it what was written there last? */
inline note()
{
    n = f_lsn[id];
    assert(n < next_seen && history[n] == id); /* recycled, cut, former or torn bytes are never taken for new ones */
    assert(NOW_BODY(AT(at, end_of)) == id);    /* batches are whole */
    last_frame = id; clean = (f_op[id] == MARK);
    if
    :: (f_op[id] == FORGET || f_op[id] == CHECKPOINT) && f_arg[id] > found_oldest -> found_oldest = f_arg[id];
    :: else -> skip;
    fi;
    end_of++;
}

#ifdef BUG_NO_CHAIN
#define CHAINS true
#else
#define CHAINS (f_before[id] == last_frame)
#endif

/* open_tail(), scan_tail(), judge_tail(), check_row(): a value comes out, nothing is written. */
inline read_store()
{
    refused = 0; later = 0; vouched = 0; clean = 0; found_oldest = 0; n = 0; last_frame = 0; end_of = 0;
    next_seen = LSNS + 2;
    top = 0; f = 0;
    do :: f < FILES -> if :: name[f] > top -> top = name[f]; :: else -> skip; fi; f++; :: else -> break; od;
    find_file(top, at);
    if :: at == NONE || NOW_NUMBER(at) != top -> refused = 1; :: else -> skip; fi;
    lo = top;
    do
    :: !refused ->
        find_file(lo - 1, at);
        if :: at == NONE -> break; :: else -> skip; fi;
        if :: NOW_NUMBER(at) != lo - 1 -> break; :: else -> lo--; fi;
    :: else -> break;
    od;
    cur = lo;
    if
    :: !refused ->
        find_file(cur, at);
        valid_frame(at, 0, cur);
        if
        :: id && f_op[id] == CHECKPOINT -> first_lsn = f_lsn[id]; note();
        :: else -> refused = 1; /* begin_tail() */
        fi;
    :: else -> skip;
    fi;
    do
    :: !refused ->
        find_file(cur, at);
        limit = SLOTS; choice = 0;
        if
        :: cur < top ->
            find_file(cur + 1, next_file);
            valid_frame(next_file, 0, cur + 1);
            if
            :: id && f_op[id] == CHECKPOINT && f_before[id] && f_segment[f_before[id]] == cur &&
               f_salt[f_before[id]] == NOW_SALT(at) ->
                limit = f_slot[f_before[id]] + 1; choice = id;
            :: else -> skip;
            fi;
        :: else -> skip;
        fi;
        do
        :: end_of < limit ->
            valid_frame(at, end_of, cur);
            if :: id && f_lsn[id] == n + 1 && CHAINS -> note(); :: else -> break; fi;
        :: else -> break;
        od;
        if :: !choice || end_of != limit -> break; :: else -> skip; fi;
        if
        :: f_lsn[choice] != n + 1 || f_before[choice] != last_frame -> refused = 1; /* attests() */
        :: else -> id = choice; at = next_file; end_of = 0; note(); cur++;
        fi;
    :: else -> break;
    od;
    if
    :: !refused -> /* later_heads() */
        live = cur; i = end_of;
        do
        :: live <= top ->
            find_file(live, next_file);
            do
            :: i < SLOTS ->
                valid_head(next_file, i, live);
                if
                :: id -> later = 1; if :: f_durable[id] > vouched -> vouched = f_durable[id]; :: else -> skip; fi;
                :: else -> skip;
                fi;
                i++;
            :: else -> break;
            od;
            i = 0; live++;
        :: else -> break;
        od;
#ifdef BUG_ANY_LATER_HEAD_REFUSES
        if :: later -> refused = 1; :: else -> skip; fi;
#endif
        if :: vouched > n -> refused = 1; :: else -> skip; fi; /* tail_verdict() */
        if :: lo > found_oldest -> refused = 1; :: else -> skip; fi; /* check_row() */
    :: else -> skip;
    fi;
}

/* replay_all(), replay_finish(): what the kept segments make of the log, against what it was. */
inline check_log()
{
    /* LSN of the checkpoint of the oldest segment kept */
    k = 1; first_lsn = 0;
    do
    :: k <= n ->
        if
        :: f_op[history[k]] == CHECKPOINT && f_segment[history[k]] == found_oldest -> first_lsn = k;
        :: else -> skip;
        fi;
        k++;
    :: else -> break;
    od;
    assert(first_lsn);
    state_after(first_lsn);
#ifdef BUG_CHECKPOINT_WITHOUT_HARD_STATE
    r_hard = 0;
#endif
    i = 0;
    do :: i <= INDEXES -> r_entry[i] = 0; i++; :: else -> break; od;
#ifdef BUG_TRUNCATION_BELOW_BASE_IGNORED
    k = 1; q_base = 0;
    do
    :: k <= n -> if :: f_op[history[k]] == COMPACT -> q_base = f_arg[history[k]]; :: else -> skip; fi; k++;
    :: else -> break;
    od;
#endif
    k = first_lsn + 1;
    do
    :: k <= n ->
#ifdef BUG_TRUNCATION_BELOW_BASE_IGNORED
        q_last = r_last;
#endif
        apply(history[k]);
#ifdef BUG_TRUNCATION_BELOW_BASE_IGNORED
        if :: r_last < q_last && r_last <= q_base -> r_last = q_last; :: else -> skip; fi;
#endif
        k++;
    :: else -> break;
    od;
    q_hard = r_hard; q_base = r_base; q_last = r_last;
    i = 0;
    do :: i <= INDEXES -> q_entry[i] = r_entry[i]; i++; :: else -> break; od;
    state_after(n);
    assert(q_hard == r_hard);                     /* hard state never goes back */
    assert(q_base == r_base && q_last == r_last); /* legal prefix */
    i = r_base + 1;
    do
    :: i <= r_last -> assert(q_entry[i] == r_entry[i]); i++; /* no hole, no other entry */
    :: else -> break;
    od;
}

/* What heads that are still whole say of what was durable: damage below that is never cut. */
inline what_is_vouched()
{
    vouched = 0; k = 1;
    do
    :: k < next_seen && history[k] ->
        i = 0;
        do
        :: i < FILES * SLOTS ->
            if
            :: head[i] == history[k] && f_known[history[k]] > vouched -> vouched = f_known[history[k]];
            :: else -> skip;
            fi;
            i++;
        :: else -> break;
        od;
        k++;
    :: else -> break;
    od;
}

/* recover_load_synced(): what is scanned is synced first. */
inline sync_all()
{
    f = 0;
#ifndef BUG_SCANS_UNSYNCED
    do
    :: f < FILES ->
        if
        :: name[f] ->
            settle_identity(f);
            i = 0;
            do :: i < SLOTS -> settle(AT(f, i)); i++; :: else -> break; od;
        :: else -> skip;
        fi;
        f++;
    :: else -> break;
    od;
#endif
}

inline recover()
{
    d_step {
        sync_all();
        read_store();
        if
        :: refused ->
            assert(rotten); /* a healthy store is never refused */
            phase = OVER;
        :: else ->
            if
            :: rotten ->
#if defined(ROT)
                what_is_vouched();
                assert(n >= vouched); /* damage that somebody vouches for is never cut */
#endif
                phase = OVER;
            :: else ->
                assert(n >= told); /* acknowledged is recovered, and what an opening showed stays */
                check_log();
                told = n;
                k = n + 1;
                do :: k <= LSNS + 1 -> history[k] = 0; k++; :: else -> break; od;
                oldest = found_oldest; newest = cur; next_lsn = n + 1; durable_lsn = n; before = last_frame;
                find_file(cur, current);
                slot = end_of;
                behind_cut = top - cur;
                goes_on = clean && !later;
#ifdef BUG_CLEAN_THOUGH_FRAMES_FOLLOW
                goes_on = clean;
#endif
#ifdef BUG_GOES_ON_WITHOUT_A_MARK
                goes_on = slot < SLOTS;
#endif
                phase = DISCARDING;
            fi
        fi;
        i = 0; k = 0; f = 0; n = 0;
    }
}

/* ----------------------------------------------------------------------------------------------------- the machine */

init {
    d_step { /* recover_create(): the first segment is durable before anything else is */
        n = 0;
        salts = 1;
        id_number[0] = 1; id_salt[0] = 1; durable_name[0] = 1; name[0] = 1;
    }
    write_frame(CHECKPOINT, 1);
    d_step { settle(AT(0, 0)); state_of[1] = 4; advance(); }
    do
    /* -- batches: writer_submit(), writer_close_frame(), flight_launch() -- */
    :: atomic { phase == RUNNING && MAY_LAUNCH && slot < SLOTS ->
        d_step { state_after(next_lsn - 1); log_hard = r_hard; log_base = r_base; log_last = r_last; }
        if
#ifdef OP_APPEND
        :: log_last < INDEXES -> write_frame(APPEND, log_last + 1);
#endif
#ifdef OP_TRUNCATE
        :: log_last > log_base -> write_frame(TRUNCATE, log_last);
        :: log_last > log_base + 1 -> write_frame(TRUNCATE, log_last - 1);
#endif
#ifdef OP_HARD
        :: log_hard < 2 -> write_frame(HARD, log_hard + 1);
#endif
#ifdef OP_COMPACT
        :: log_last > log_base -> write_frame(COMPACT, log_last);
#endif
        fi;
        d_step { log_hard = 0; log_base = 0; log_last = 0; } }
    /* -- the disk: in any order -- */
    :: atomic { phase == RUNNING && next_lsn > 1 && state_of[next_lsn - 1] == 1 -> state_of[next_lsn - 1] = 2; }
    :: atomic { phase == RUNNING && next_lsn > 2 && state_of[next_lsn - 2] == 1 -> state_of[next_lsn - 2] = 2; }
    :: atomic { phase == RUNNING && next_lsn > 3 && state_of[next_lsn - 3] == 1 -> state_of[next_lsn - 3] = 2; }
#ifdef BUG_TOLD_WHEN_LANDED
    :: d_step { phase == RUNNING && durable_lsn + 1 < next_lsn && state_of[durable_lsn + 1] == 2 ->
        state_of[durable_lsn + 1] = 4; advance(); }
#endif
    /* -- launch_sync() -- */
    :: d_step { phase == RUNNING && syncing == NONE && durable_lsn + 1 < next_lsn &&
        (state_of[durable_lsn + 1] == 2 || (durable_lsn + 2 < next_lsn && state_of[durable_lsn + 2] == 2)) ->
        k = (state_of[durable_lsn + 1] == 2 -> durable_lsn + 1 : durable_lsn + 2);
        syncing = file_of[k];
        k = durable_lsn + 1;
        do
        :: k < next_lsn ->
            if :: state_of[k] == 2 && file_of[k] == syncing -> state_of[k] = 3; :: else -> skip; fi;
            k++;
        :: else -> break;
        od;
        k = 0; }
    /* -- flight_sync_ended(), flight_advance() -- */
    :: d_step { phase == RUNNING && syncing != NONE ->
        k = durable_lsn + 1;
        do
        :: k < next_lsn ->
            if
            :: state_of[k] == 3 -> state_of[k] = 4; settle(AT(syncing, f_slot[history[k]]));
#ifdef BUG_SYNC_COVERS_THE_LATE
            :: state_of[k] == 2 -> state_of[k] = 4;
#endif
#ifdef BUG_SYNC_OF_ANY_FILE
            :: state_of[k] == 2 && file_of[k] != syncing -> state_of[k] = 4;
#endif
            :: else -> skip;
            fi;
            k++;
        :: else -> break;
        od;
        syncing = NONE; k = 0;
        advance(); }
    /* -- writer_roll(), writer_put_checkpoint() -- */
    :: atomic { phase == RUNNING && MAY_LAUNCH && slot == SLOTS && ready != NONE ->
        current = ready; ready = NONE; newest++; slot = 0;
        write_frame(CHECKPOINT, oldest); }
    /* -- compact_step(), writer_put_forget(), hand_over() -- */
    :: atomic { phase == RUNNING && MAY_LAUNCH && slot < SLOTS && !forget_lsn && oldest + 1 < newest ->
        d_step { plan_forget(); }
        if
        :: kept > oldest -> forget_lsn = next_lsn; forget_upto = kept; write_frame(FORGET, kept);
        fi;
        kept = 0; }
#ifdef BUG_FORGET_NOT_DURABLE
    :: d_step { phase == RUNNING && forget_lsn -> oldest = forget_upto; forget_lsn = 0; forget_upto = 0; }
#else
    :: d_step { phase == RUNNING && forget_lsn && forget_lsn <= durable_lsn ->
        oldest = forget_upto; forget_lsn = 0; forget_upto = 0; }
#endif
    /* -- pool_step(), pool_prepare_now(): identity, sync, rename, directory sync, ready -- */
    :: atomic { (phase == RUNNING || phase == PREPARING) && ready == NONE && job == NONE ->
        if
        :: name[0] < oldest -> job = 0;
        :: name[1] < oldest -> job = 1;
#if FILES > 2
        :: name[2] < oldest -> job = 2;
#endif
#if FILES > 3
        :: name[3] < oldest -> job = 3;
#endif
        fi;
        step = 1;
        cached_number[job] = newest + 1;
#ifdef BUG_NO_SALT
        cached_salt[job] = 1;
#else
        salts++; cached_salt[job] = salts;
#endif
        }
#ifdef BUG_IDENTITY_NOT_SYNCED
    :: d_step { step == 1 && job != NONE -> step = 2; }
#else
    :: d_step { step == 1 && job != NONE -> settle_identity(job); step = 2; }
#endif
#ifdef BUG_USED_BEFORE_DIRECTORY_SYNC
    :: d_step { step == 2 && job != NONE && renamings < PENDING_NAMES ->
        rename_to(job, newest + 1); ready = job; job = NONE; step = 0; }
#else
    :: d_step { step == 2 && job != NONE -> rename_to(job, newest + 1); step = 3; }
    :: d_step { step == 3 && job != NONE -> settle_names(); ready = job; job = NONE; step = 0; }
#endif
    /* -- close: finish_writing() -- */
    :: atomic { phase == RUNNING && closes < CLOSES && slot < SLOTS && durable_lsn + 1 == next_lsn &&
                next_lsn <= LSNS && job == NONE -> /* a pool's job is left as it is by close; here it has ended */
        closes++;
        write_frame(MARK, 0);
        d_step { settle(AT(current, slot - 1)); state_of[next_lsn - 1] = 4; advance(); }
        d_step { forget_memory(); phase = RECOVERING; } }
    /* -- the end of a process -- */
    :: atomic { phase != OVER && crashes < CRASHES ->
        crashes++;
        if
        :: cut_power();
#ifdef KILLS
        :: skip; /* what was asked for lands: LOCK is not let go before */
#endif
        fi;
        d_step { forget_memory(); phase = RECOVERING; } }
#ifdef ROT
    :: atomic { phase == RUNNING && !rotten && durable_lsn > 1 ->
        rotten = true;
        n = 1;
        do :: n < durable_lsn -> n++; :: n <= durable_lsn -> break; od;
        skip;
        d_step {
            i = 0; k = n; n = FILES * SLOTS;
            do
            :: i < FILES * SLOTS ->
                if :: head[i] == history[k] && body[i] == history[k] -> n = i; :: else -> skip; fi;
                i++;
            :: else -> break;
            od;
        }
        n < FILES * SLOTS; /* else its segment is somebody else's by now */
        if :: head[n] = 0; :: body[n] = 0; fi;
        cut_power();
        d_step { forget_memory(); phase = RECOVERING; } }
#endif
    /* -- opening: recover_read(), then recover_apply() -- */
    :: atomic { phase == RECOVERING -> recover(); }
#ifdef BUG_OLDEST_FIRST_BEHIND_THE_CUT
    :: d_step { phase == DISCARDING && behind_cut ->
        k = newest + 1;
        find_file(k, at);
        do :: at == NONE -> k++; find_file(k, at); :: else -> break; od;
        rename_to(at, 0); settle_names(); behind_cut--; k = 0; f = 0; at = 0; }
#else
    :: d_step { phase == DISCARDING && behind_cut -> /* discard_behind_cut(): newest first, a directory sync each */
        find_file(newest + behind_cut, at);
        rename_to(at, 0); settle_names(); behind_cut--; f = 0; at = 0; }
#endif
    :: d_step { phase == DISCARDING && !behind_cut && goes_on ->
#ifndef BUG_NOT_ALONE
        alone = next_lsn;
#endif
        phase = RUNNING; }
    :: d_step { phase == DISCARDING && !behind_cut && !goes_on -> phase = PREPARING; }
    :: d_step { phase == PREPARING && ready != NONE -> phase = BEGINNING; }
    :: atomic { phase == BEGINNING && next_lsn <= LSNS -> /* its checkpoint is the one write that makes the cut final */
        current = ready; ready = NONE; newest++; slot = 0;
        write_frame(CHECKPOINT, oldest);
        d_step { settle(AT(current, 0)); state_of[next_lsn - 1] = 4; advance(); }
        phase = RUNNING; }
#ifdef FULL
    /* -- go_on_behind_cut(): what flew there becomes zeros, synced, before anything is written there -- */
    :: d_step { phase == PREPARING && ready == NONE && job == NONE && slot < SLOTS ->
        i = slot;
        do
        :: i < SLOTS ->
#ifndef BUG_NOT_CLEARED
            if
            :: head[AT(current, i)] && f_salt[head[AT(current, i)]] == id_salt[current] ->
                cached[AT(current, i)] = CLEARED;
            :: else -> skip;
            fi;
#endif
            i++;
        :: else -> break;
        od;
        phase = CLEARING; }
    :: d_step { phase == CLEARING ->
#ifndef BUG_CLEAR_NOT_SYNCED
        i = slot;
        do :: i < SLOTS -> settle(AT(current, i)); i++; :: else -> break; od;
#endif
        alone = next_lsn; phase = RUNNING; }
#endif
    :: phase == OVER -> break;
    od
}
