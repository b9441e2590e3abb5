// Numbers and times as people read them. Pure functions; nothing here knows the page.

/** 83500 ms -> "1:23"; hours appear when there are any. */
export function clock(ms) {
  const s = Math.max(0, Math.floor((Number.isFinite(ms) ? ms : 0) / 1000));
  const two = (x) => String(x).padStart(2, '0');
  const h = Math.floor(s / 3600);
  return h ? `${h}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}` : `${Math.floor(s / 60)}:${two(s % 60)}`;
}

/** 83500 ms -> "1 minute 23 seconds", for voices. */
export function clockWords(ms) {
  const s = Math.max(0, Math.floor(ms / 1000));
  const part = (n, word) => (n ? `${n} ${word}${n === 1 ? '' : 's'}` : '');
  return [part(Math.floor(s / 60), 'minute'), part(s % 60, 'second')].filter(Boolean).join(' ') || '0 seconds';
}

/** 0.724 -> "72 %" (with a narrow no-break space, so that it never breaks over two lines). */
export function percent(share) {
  return `${Math.round(100 * (Number.isFinite(share) ? share : 0))}\u202f%`;
}

/** 4500 ms -> "4.5 s"; from a minute on a clock. */
export function seconds(ms) {
  return ms >= 60000 ? clock(ms) : `${(ms / 1000).toFixed(1)}\u202fs`;
}

export function fixed(value, digits = 1) {
  return Number.isFinite(value) ? value.toFixed(digits).replace('-', '\u2212') : '–';
}

/** +0.4 or −0.4: the sign is part of the message. */
export function signed(value, digits = 1) {
  return (value > 0 ? '+' : '') + fixed(value, digits);
}

/** "rising_anger" -> "Rising anger". */
export function words(name) {
  const text = String(name ?? '').replaceAll('_', ' ').trim();
  return text ? text[0].toUpperCase() + text.slice(1) : '';
}

/** The hour at which a call began, in the reader's own time; "" when it is not a time. */
export function hour(iso) {
  const date = new Date(iso);
  if (Number.isNaN(date.getTime())) return '';
  return date.toLocaleTimeString([], {hour: '2-digit', minute: '2-digit', hour12: false});
}

/** How a call came to its end, in words. */
export function endWords(reason) {
  return {finished: 'Finished', hang_up: 'Customer hung up', dropped: 'Connection dropped'}[reason] ?? 'Ended';
}

const stateWords = {
  neutral: 'Neutral', calm: 'Calm', happy: 'Happy', sad: 'Sad', angry: 'Angry', fearful: 'Fearful',
  disgust: 'Disgusted', surprised: 'Surprised', boredom: 'Bored', uncertain: 'Uncertain', no_speech: 'No speech',
  off: 'Recognition off',
};

export function stateWord(name) {
  return Object.hasOwn(stateWords, name) ? stateWords[name] : words(name);
}

const looks = new Set(['neutral', 'happy', 'sad', 'angry', 'fearful', 'disgust', 'surprised', 'boredom', 'uncertain',
  'no_speech', 'off']);
const aliases = {calm: 'neutral', anger: 'angry', happiness: 'happy', sadness: 'sad', fear: 'fearful',
  surprise: 'surprised', disgusted: 'disgust', bored: 'boredom', anxiety: 'fearful'};

/** The look (colour and face) of a state: a known one, or one of four spare ones chosen by its place in the model. */
export function lookOf(name, place = 0) {
  const known = Object.hasOwn(aliases, name) ? aliases[name] : name;
  return looks.has(known) ? known : `other${(place & 3) + 1}`;
}
