import { BrowserDesks } from '../support/desks.ts';
import { describePeople } from './people.ts';

/** In a browser. */
describePeople(new BrowserDesks());
