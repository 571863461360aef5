// One dashboard, drawn with Grafana's own components from what Prometheus gave its queries.
import React from "react";
import { createRoot } from "react-dom/client";
import { ThemeContext, createTheme, dateTime, FieldType, getDisplayProcessor } from "@grafana/data";
import { BigValue, BigValueColorMode, BigValueGraphMode, GlobalStyles, PanelChrome, TimeSeries } from "@grafana/ui";

const { board, data, from, to } = window.INPUT;
const theme = createTheme({ colors: { mode: "dark" } });
const span = { from: dateTime(from), to: dateTime(to) };
const timeRange = { ...span, raw: span };
const COLUMN = 1600 / 24;
const ROW = 38;
const GAP = 8;

function called(legend, labels) {
  if (legend === "__auto") return Object.values(labels).join(" ") || "value";
  return legend.replace(/\{\{(\w+)\}\}/g, (_, name) => labels[name] ?? "");
}

// The one override that our boards have: series of zeros only are not in the legend.
function looks(panel, values) {
  const { defaults, overrides } = panel.fieldConfig;
  const quiet = overrides.length > 0 && values.every((value) => !value);
  const hideFrom = { legend: quiet, tooltip: quiet, viz: false };
  return { ...defaults, custom: { ...defaults.custom, hideFrom } };
}

function rangeOf(values) {
  const [min, max] = [Math.min(...values), Math.max(...values)];
  return { min, max, delta: max - min };
}

function frame(panel, target, series, seriesIndex) {
  const values = series.values.map(([, value]) => (Number.isFinite(+value) ? +value : null));
  const displayNameFromDS = called(target.legendFormat, series.metric);
  const config = { ...looks(panel, values), displayNameFromDS };
  const state = { seriesIndex, range: rangeOf(values) };
  const value = { name: "Value", type: FieldType.number, values, labels: series.metric, config, state };
  const times = series.values.map(([seconds]) => seconds * 1000);
  const time = { name: "Time", type: FieldType.time, values: times, config: { interval: 4000 } };
  for (const field of [time, value]) field.display = getDisplayProcessor({ field, theme });
  return { refId: target.refId, length: times.length, fields: [time, value] };
}

function frames(panel) {
  const asked = (target) => data[`${board.uid}/${panel.id}/${target.refId}`];
  const found = panel.targets.flatMap((target) => asked(target).map((series) => [target, series]));
  return found.map(([target, series], index) => frame(panel, target, series, index));
}

function Stat({ panel, ...size }) {
  const [x, y] = frames(panel)[0].fields;
  const now = y.values.findLast((value) => value !== null) ?? null;
  const modes = { colorMode: BigValueColorMode.Value, graphMode: BigValueGraphMode.Area };
  return <BigValue theme={theme} value={y.display(now)} sparkline={{ x, y }} {...modes} {...size} />;
}

function Lines({ panel, ...size }) {
  const all = { frames: frames(panel), legend: panel.options.legend, timeRange, timeZone: "utc" };
  return <TimeSeries structureRev={1} {...all} {...size}>{() => null}</TimeSeries>;
}

const NotPublished = () => <p style={{ color: "#888" }}>A heat map: its component is not published.</p>;
const KINDS = { stat: Stat, timeseries: Lines, heatmap: NotPublished };

function Panel({ panel }) {
  const { x, y, w, h } = panel.gridPos;
  const style = { position: "absolute", left: x * COLUMN + GAP, top: 50 + y * ROW };
  if (panel.type === "row") return <h4 style={{ ...style, paddingTop: GAP }}>{panel.title}</h4>;
  const Kind = KINDS[panel.type];
  return (
    <div style={style}>
      <PanelChrome title={panel.title} width={w * COLUMN - GAP} height={h * ROW - GAP}>
        {(width, height) => <Kind panel={panel} width={width} height={height} />}
      </PanelChrome>
    </div>
  );
}

createRoot(document.getElementById("root")).render(
  <ThemeContext.Provider value={theme}>
    <GlobalStyles />
    <h2 style={{ margin: GAP }}>{board.title}</h2>
    {board.panels.map((panel) => <Panel key={panel.id} panel={panel} />)}
  </ThemeContext.Provider>,
);
