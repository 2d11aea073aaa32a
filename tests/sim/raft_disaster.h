/* raft_disaster.h: a majority is gone for ever, and an operator goes on with one of those that are left, as
 * docs/raft.md says: under another name, with members that come back empty, under ids that were not used before.
 *
 * HOLDS  Of what was committed nothing is lost that one of those left knows to be committed; nothing at all where those
 *        left are a majority. Who was only thought dead goes on under the old name, alone or with others of its kind,
 *        and is heard by nobody of the new cluster. All that holds of a cluster holds of both.
 */
#ifndef TEAK_TESTS_SIM_RAFT_DISASTER_H
#define TEAK_TESTS_SIM_RAFT_DISASTER_H

/* Some disks are lost, in place of some of these a copy is put back, some nodes are thought dead; of the others one is
 * recovered. Nothing where no disk is sound. */
void disaster_strike(void);

#endif
