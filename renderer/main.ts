/** Owns: the start of the window's code. Called by: index.html. Calls: the client, the state, App.svelte. */
import { mount } from 'svelte';
import { chooseTransport, Client } from './api/client.ts';
import { PacedTransport } from './api/paced-transport.ts';
import App from './App.svelte';
import { AppState } from './state/app.svelte.ts';
import { appContext } from './state/context.ts';
import './styles/tokens.css';
import './styles/base.css';
import './styles/controls.css';
import './styles/contrast.css';

const target = document.getElementById('app');
if (target === null) throw new Error('index.html has no #app');

const app = new AppState(new Client(new PacedTransport(chooseTransport(window))), () => {
  location.reload();
});
app.start();
mount(App, { target, context: appContext(app) });
