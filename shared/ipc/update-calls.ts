/** Owns: the part of the contract about newer versions of the program. Called by: contract.ts. Calls: valibot. */
import * as v from 'valibot';
import { updateSchema, type Update } from '../domain/update.ts';

const nothing = v.object({});

export const updateInputs = {
  'update.status': nothing,
  /** Looks at the feed now. Refused with `not-allowed` where nobody looks. */
  'update.check': nothing,
  /** Ends the program, installs what is ready, and starts it. Refused with `busy` while a session is open or a file moves. */
  'update.restart': nothing,
} as const;

export interface UpdateOutputs {
  'update.status': Update;
  'update.check': Update;
  'update.restart': null;
}

export const updateEvents = { 'update.changed': v.object({ update: updateSchema }) } as const;
