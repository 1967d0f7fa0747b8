// The price history as a chart that can be moved and read off. Without it the server's drawing and the table stay.
const figure = document.querySelector("figure[data-prices][data-library]");
const ranges = [...document.querySelectorAll(".ranges a")];
const DAY = 86_400;
const LINES = 5;

const loaded = (make) =>
  new Promise((resolve, reject) => {
    const element = make();
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });

const library = () =>
  Promise.all([
    loaded(() => Object.assign(document.createElement("link"), { rel: "stylesheet", href: figure.dataset.style })),
    loaded(() => Object.assign(document.createElement("script"), { src: figure.dataset.library })),
  ]);

// A custom property as the colour it is in this theme: a canvas knows no light-dark().
const probe = document.createElement("span");
probe.hidden = true;
const colour = (value) => {
  probe.style.color = value;
  return getComputedStyle(probe).color;
};

// Every series on one axis of time; a price stands until the next one, null is a gap.
const aligned = (lines, until) => {
  const changes = lines.flatMap((line) => line.points.map(([time]) => time));
  // What stands at the left edge of a range began before it, and counts there too.
  const edges = ranges.map((link) => until - Number(link.dataset.days) * DAY).filter((edge) => edge > Math.min(...changes));
  const times = [...new Set([...changes, ...edges, until])].sort((a, b) => a - b);
  const columns = lines.map(({ points }) => {
    let place = -1;
    return times.map((time) => {
      while (place + 1 < points.length && points[place + 1][0] <= time) place += 1;
      const price = place < 0 ? null : points[place][1];
      return price === null ? null : Number(price);
    });
  });
  return [times, ...columns];
};

const draw = (answer) => {
  const language = document.documentElement.lang || "en";
  const money = new Intl.NumberFormat(language, { style: "currency", currency: answer.currency });
  const until = Math.floor(Date.now() / 1000);
  const stores = answer.stores.slice(0, LINES);
  const lines = [{ name: figure.dataset.lowest, points: answer.lowest }, ...stores];
  const first = Math.min(...answer.lowest.map(([time]) => time), until);
  const looks = [...figure.querySelectorAll(".legend .chart-line")].map((path) => getComputedStyle(path).stroke);
  const frame = figure.querySelector(".chart-frame");
  frame.after(probe);
  const axis = { stroke: colour("var(--quiet)"), grid: { stroke: colour("var(--line)"), width: 1 }, ticks: { show: false } };
  const stepped = uPlot.paths.stepped({ align: 1 });
  const data = aligned(lines, until);
  const [times, ...columns] = data;
  const shown = (price) => (price === null || price === undefined ? "–" : money.format(price));
  // While nothing is pointed at, the legend tells today's prices.
  const value = (_, price, line, place) => shown(place === null ? columns[line - 1].at(-1) : price);
  const day = new Intl.DateTimeFormat(language, { dateStyle: "medium" });
  const month = new Intl.DateTimeFormat(language, { day: "numeric", month: "short" });
  const year = new Intl.DateTimeFormat(language, { month: "short", year: "numeric" });
  const labels = (plot, splits) => {
    const format = plot.scales.x.max - plot.scales.x.min > 300 * DAY ? year : month;
    return splits.map((time) => format.format(time * 1000));
  };
  const padded = (_, lowest, highest) => {
    if (lowest === null) return [0, 1];
    const room = Math.max((highest - lowest) * 0.12, highest * 0.03, 0.01);
    return [Math.max(0, lowest - room), highest + room];
  };
  const chart = document.createElement("div");
  chart.className = "chart-live";
  frame.replaceChildren(chart);
  frame.classList.add("is-live");
  const height = () => Math.max(200, Math.min(320, chart.clientWidth * 0.42));
  const plot = new uPlot(
    {
      width: chart.clientWidth,
      height: height(),
      cursor: { drag: { x: true, y: false } },
      scales: { x: { time: true }, y: { range: padded } },
      axes: [{ ...axis, space: 90, values: labels }, { ...axis, size: 76, values: (_, splits) => splits.map((split) => money.format(split)) }],
      series: [
        { label: figure.dataset.when, value: (_, time) => (time ? day.format(time * 1000) : figure.dataset.now) },
        ...lines.map((line, place) => ({
          label: line.name,
          stroke: place ? (looks[place - 1] ?? colour("var(--line-strong)")) : colour("var(--accent)"),
          width: place ? 1.5 : 3,
          paths: stepped,
          points: { show: false },
          value,
        })),
      ],
    },
    data,
    chart,
  );
  const show = (days) => plot.setScale("x", { min: days ? Math.max(first, until - days * DAY) : first, max: until });
  show(Number(figure.dataset.days));
  new ResizeObserver(() => plot.setSize({ width: chart.clientWidth, height: height() })).observe(chart);
  for (const link of ranges) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      for (const other of ranges) other.removeAttribute("aria-current");
      link.setAttribute("aria-current", "true");
      show(Number(link.dataset.days));
      history.replaceState(null, "", link.href);
    });
  }
};

if (figure) {
  // Nothing is loaded for a chart that nobody scrolls to.
  const watch = new IntersectionObserver(async (entries) => {
    if (!entries.some((entry) => entry.isIntersecting)) return;
    watch.disconnect();
    try {
      const [answer] = await Promise.all([fetch(figure.dataset.prices).then((got) => got.json()), library()]);
      if (answer.lowest.length) draw(answer);
    } catch {
      // The drawing stays.
    }
  });
  watch.observe(figure);
}
