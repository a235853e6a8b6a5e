/** Owns: what the window knows of newer versions of the program. Called by: contract, hosts/updates, About. Calls: valibot. */
import * as v from 'valibot';

/** Why the last look at the feed came to nothing. */
export const updateFailures = ['unreachable', 'not-trusted', 'damaged', 'not-installed'] as const;
export type UpdateFailure = (typeof updateFailures)[number];

export const updateSchema = v.object({
  /**
   * `off`: nobody looks, by setting or because this host has no packages; `current`: there is nothing newer;
   * `available`: there is, and it is installed by hand or by the system; `ready`: it is installed when the program ends.
   */
  state: v.picklist(['off', 'unknown', 'checking', 'current', 'available', 'downloading', 'ready', 'failed']),
  /** The newer one, where there is one. */
  version: v.nullable(v.string()),
  /** Of a download, 0 to 1. */
  share: v.nullable(v.number()),
  failure: v.nullable(v.picklist(updateFailures)),
  checkedMs: v.nullable(v.number()),
});
export type Update = v.InferOutput<typeof updateSchema>;

export const noUpdate: Update = { state: 'off', version: null, share: null, failure: null, checkedMs: null };
