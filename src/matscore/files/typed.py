"""Typed columns into labels and numbers."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
import polars as pl

from matscore.errors import InputError


def label_text(
    series: pl.Series, *, path: str = "", column: int | None = None, name: str | None = None
) -> pl.Series:
    """Turn a column into text.

    Integers become their digits, floats the shortest form that reads back, decimals keep all
    their places, dates and times are in ISO 8601, and null is the empty text.

    Parameters
    ----------
    series : Series
        The column.
    path, column, name : str, int or None, str or None
        Where it stands, for the error.

    Returns
    -------
    Series
        Of type String, without nulls.

    Raises
    ------
    InputError
        The type is binary or nested, or a date is out of range.

    Examples
    --------
    >>> label_text(pl.Series([12, None])).to_list()
    ['12', '']
    """
    try:
        text = _cast_to_text(series)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException) as error:
        what = f"holds a {_name_of(series.dtype)} that cannot be written as text"
        raise InputError(path, what, column=column, name=name) from error
    if text is None:
        what = f"is of type {_name_of(series.dtype)}, which cannot be a label"
        raise InputError(path, what, "store it as text", column=column, name=name)
    return text.fill_null("")


def feature_column(
    series: pl.Series, *, path: str = "", column: int | None = None, name: str | None = None
) -> npt.NDArray[np.float64]:
    """Turn a column into numbers.

    Parameters
    ----------
    series : Series
        The column.
    path, column, name : str, int or None, str or None
        Where it stands, for the error.

    Returns
    -------
    ndarray of shape (n_rows,) and dtype float64
        NaN where a value is null or NaN; infinities stay. Integers and decimals with more digits
        than float64 holds are rounded to the nearest. May be read-only.

    Raises
    ------
    InputError
        The type is not a number's.

    Examples
    --------
    >>> feature_column(pl.Series([1, None, 3]))
    array([ 1., nan,  3.])
    """
    dtype = series.dtype
    if not (dtype.is_numeric() or isinstance(dtype, pl.Null)):
        what = f"is of type {_name_of(dtype)}, not a number"
        hint = "store it as 0 and 1" if isinstance(dtype, pl.Boolean) else "store it as numbers"
        raise InputError(path, what, hint, column=column, name=name)
    return series.cast(pl.Float64).to_numpy()


def _cast_to_text(series: pl.Series) -> pl.Series | None:
    """Return None for a type that has no text form."""
    dtype = series.dtype
    if isinstance(dtype, pl.Datetime):
        if dtype.time_zone and dtype.time_zone[0] in "+-":
            # Polars cannot format a zone that is an offset; the instant stays the same.
            series = series.dt.convert_time_zone("UTC")
        return series.dt.to_string("%Y-%m-%dT%H:%M:%S%.f" + ("%:z" if dtype.time_zone else ""))
    if isinstance(dtype, pl.Time):  # a cast would cut the fraction off
        return series.dt.to_string("%H:%M:%S%.f")
    if isinstance(dtype, pl.Duration):
        return series.dt.to_string("iso")
    plain = (pl.String, pl.Categorical, pl.Enum, pl.Boolean, pl.Date, pl.Null)
    return series.cast(pl.String) if dtype.is_numeric() or isinstance(dtype, plain) else None


def _name_of(dtype: pl.DataType) -> str:
    return dtype.base_type().__name__
