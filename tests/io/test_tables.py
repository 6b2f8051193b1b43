"""Tables: ids as text, separators, duplicate columns."""

import numpy as np
import pytest

from sarcfeat.exceptions import InputEmpty, InputMissing, InvalidInput
from sarcfeat.io import read_table


def test_fault_051_ids_stay_text(tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("patient,age,code\n007,61,01\n7,NA,02\n 7.0 ,50.5,3\n")
    frame = read_table(file, index="patient")
    assert list(frame.index) == ["007", "7", "7.0"]
    assert frame["age"].tolist()[::2] == [61.0, 50.5]
    assert np.isnan(frame["age"].iloc[1])
    assert list(frame["code"]) == ["01", "02", "3"]


def test_fault_052_duplicate_columns(tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text("patient,Age,size,age\nP1,61,4,62\n")
    with pytest.raises(InvalidInput, match="columns 2 and 4 are both called 'age'"):
        read_table(file)


def test_fault_053_semicolon_bom_decimal_comma(tmp_path):
    file = tmp_path / "patients.csv"
    file.write_bytes("\ufeffpatient;taille;lieu\nP1;4,5;Orléans\nP2;6;Nîmes\n".encode())
    frame = read_table(file, index="patient")
    assert frame["taille"].tolist() == [4.5, 6.0]
    file.write_bytes("patient;lieu\nP1;Orléans\n".encode("cp1252"))
    assert read_table(file)["lieu"].tolist() == ["Orléans"]


def test_text_cell_keeps_the_column_text(tmp_path):
    file = tmp_path / "patients.csv"
    file.write_text('patient,size\nP1,"<0.01"\nP2,3\n')
    assert read_table(file)["size"].tolist() == ["<0.01", "3"]


def test_errors_name_the_file(tmp_path):
    file = tmp_path / "patients.csv"
    with pytest.raises(InputMissing, match=r"patients\.csv"):
        read_table(file)
    file.write_text("")
    with pytest.raises(InputEmpty, match=r"patients\.csv"):
        read_table(file)
    file.write_text("patient,age\nP1,3,4\n")
    with pytest.raises(InvalidInput, match="line 2: 3 cells for 2 columns"):
        read_table(file)
    file.write_text("patient,age\nP1,3\n")
    with pytest.raises(InvalidInput, match="no column 'id'; it has patient, age"):
        read_table(file, index="id")
